package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ipfs/boxo/ipld/merkledag"
	unixfs "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// Profile is everything that a CID depends on beside the content.
type Profile struct {
	version   uint64 // of CIDs
	rawLeaves bool
	chunk     int64 // bytes of a leaf
	links     int   // of a node of a file
	estimate  unixfs.SizeEstimationMode
}

var (
	// Kubo is what kubo 0.43 does by default, the profile unixfs-v0-2015.
	Kubo = Profile{version: 0, chunk: 256 << 10, links: 174, estimate: unixfs.SizeEstimationLinks}
	// KuboV1 is what kubo 0.43 does when it is asked for CIDs of version 1.
	KuboV1 = Profile{version: 1, rawLeaves: true, chunk: 256 << 10, links: 174, estimate: unixfs.SizeEstimationLinks}
	// UnixFS2025 is the profile unixfs-v1-2025 of IPIP-499.
	UnixFS2025 = Profile{version: 1, rawLeaves: true, chunk: 1 << 20, links: 1024, estimate: unixfs.SizeEstimationBlock}
)

// shardBytes is the length from which on a directory is sharded, and fanout how
// many ways a shard has; both profiles have the same.
const (
	shardBytes = 256 << 10
	fanout     = 256
)

// Limits bound what an import takes.
type Limits struct {
	Bytes   uint64 // of blocks, those of directories included
	Entries int    // files and directories (default 100,000)
}

// Limits of names; those of most file systems.
const (
	maxName  = 255
	maxPath  = 4096
	maxDepth = 64
)

// Errors that callers tell apart.
var (
	ErrTooMuch = errors.New("more than may be imported")
	ErrName    = errors.New("not a name that can be imported")
	ErrCut     = errors.New("the content breaks off")
)

// Entry is a file or directory with its CID.
type Entry struct {
	Path string
	CID  dag.CID
	Text string // the CID in the version of the profile
	Size uint64 // bytes of the graph, as links state it
	Dir  bool
}

// Importer makes one tree of files. It belongs to one goroutine.
type Importer struct {
	profile Profile
	limits  Limits
	blocks  *service
	root    *tree
	entries int
}

// tree is a directory that is being made, or a file.
type tree struct {
	children map[string]*tree // nil for a file
	file     Entry
}

// New returns an importer that puts blocks into an import of a vault.
func New(into *vault.Import, p Profile, l Limits) *Importer {
	if l.Entries == 0 {
		l.Entries = 100_000
	}
	return &Importer{profile: p, limits: l, blocks: &service{into: into, give: into.PutOwn, left: l.Bytes, waiting: map[dag.CID]vault.Block{}},
		root: &tree{children: map[string]*tree{}}}
}

func (i *Importer) builder() cid.Builder {
	if i.profile.version == 0 {
		return merkledag.V0CidPrefix()
	}
	return cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256, MhLength: -1}
}

// File imports a file under a path; directories above it are made.
func (i *Importer) File(ctx context.Context, path string, content io.Reader) (Entry, error) {
	parent, name, err := i.parent(path)
	if err != nil {
		return Entry{}, err
	}
	if _, there := parent.children[name]; there {
		return Entry{}, fmt.Errorf("%w: %q is there twice", ErrName, path)
	}
	if i.entries++; i.entries > i.limits.Entries {
		return Entry{}, fmt.Errorf("%w: more than %d files and directories", ErrTooMuch, i.limits.Entries)
	}
	l := layout{p: i.profile, blocks: i.blocks}
	k, err := l.file(ctx, whole{content})
	if err != nil {
		return Entry{}, fmt.Errorf("import %q: %w", path, err)
	}
	c, err := dag.ParseCID(k.cid.Bytes())
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: path, CID: c, Text: k.cid.String(), Size: k.graph}
	parent.children[name] = &tree{file: e}
	return e, nil
}

// whole reads content that has to come to a proper end: io.ReadFull says
// io.ErrUnexpectedEOF at the end of a file, and so do forms and requests that were cut off.
type whole struct{ io.Reader }

func (w whole) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrCut
	}
	return n, err
}

// Dir makes a directory, and those above it; one that is there already is fine.
func (i *Importer) Dir(path string) error {
	_, err := i.dir(path)
	return err
}

// parent is the directory that a path lies in, and the last name.
func (i *Importer) parent(path string) (*tree, string, error) {
	above, name, nested := cutLast(path)
	if err := checkName(path, name); err != nil {
		return nil, "", err
	}
	if !nested {
		return i.root, name, nil
	}
	d, err := i.dir(above)
	return d, name, err
}

func (i *Importer) dir(path string) (*tree, error) {
	if len(path) > maxPath || strings.Count(path, "/") >= maxDepth {
		return nil, fmt.Errorf("%w: a path of %d bytes and %d directories; at most %d and %d", ErrName, len(path), strings.Count(path, "/")+1, maxPath, maxDepth)
	}
	d := i.root
	for name := range strings.SplitSeq(path, "/") {
		if err := checkName(path, name); err != nil {
			return nil, err
		}
		next := d.children[name]
		if next == nil {
			if i.entries++; i.entries > i.limits.Entries {
				return nil, fmt.Errorf("%w: more than %d files and directories", ErrTooMuch, i.limits.Entries)
			}
			next = &tree{children: map[string]*tree{}}
			d.children[name] = next
		}
		if next.children == nil {
			return nil, fmt.Errorf("%w: %q is a file and a directory", ErrName, path)
		}
		d = next
	}
	return d, nil
}

func cutLast(path string) (above, name string, nested bool) {
	if k := strings.LastIndexByte(path, '/'); k >= 0 {
		return path[:k], path[k+1:], true
	}
	return "", path, false
}

func checkName(path, name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%w: %q has the part %q; write a relative path, with / between plain names", ErrName, clip(path), name)
	case len(name) > maxName:
		return fmt.Errorf("%w: a name of %d bytes, at most %d", ErrName, len(name), maxName)
	case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is no text", ErrName, clip(path))
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), 100)] }

// Finish makes the directories and returns all entries, children before their parents.
// With wrap the last one is a directory without name around everything.
func (i *Importer) Finish(ctx context.Context, wrap bool) ([]Entry, error) {
	var out []Entry
	if wrap {
		if _, err := i.finish(ctx, "", i.root, &out); err != nil {
			return nil, err
		}
	} else {
		for _, name := range slices.Sorted(maps.Keys(i.root.children)) {
			if _, err := i.finish(ctx, name, i.root.children[name], &out); err != nil {
				return nil, err
			}
		}
	}
	return out, i.blocks.flush(ctx)
}

func (i *Importer) finish(ctx context.Context, path string, t *tree, out *[]Entry) (ipld.Node, error) {
	if t.children == nil {
		*out = append(*out, t.file)
		return i.blocks.node(ctx, t.file.CID, i.profile.version)
	}
	options := []unixfs.DirectoryOption{unixfs.WithCidBuilder(i.builder()), unixfs.WithSizeEstimationMode(i.profile.estimate),
		unixfs.WithMaxHAMTFanout(fanout)}
	d, err := unixfs.NewDirectory(i.blocks, options...)
	if err != nil {
		return nil, err
	}
	d.SetHAMTShardingSize(shardBytes)
	for _, name := range slices.Sorted(maps.Keys(t.children)) {
		child, err := i.finish(ctx, strings.TrimPrefix(path+"/"+name, "/"), t.children[name], out)
		if err == nil {
			err = d.AddChild(ctx, name, child)
		}
		if err != nil {
			return nil, err
		}
	}
	node, err := d.GetNode()
	if err != nil {
		return nil, err
	}
	if err := i.blocks.Add(ctx, node); err != nil {
		return nil, err
	}
	c, err := dag.ParseCID(node.Cid().Bytes())
	if err != nil {
		return nil, err
	}
	size, err := node.Size()
	*out = append(*out, Entry{Path: path, CID: c, Text: node.Cid().String(), Size: size, Dir: true})
	return node, err
}
