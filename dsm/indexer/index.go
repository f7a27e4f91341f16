package indexer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// The keys of the database; block and index are 4 bytes each, big-endian.
//
//	f cid 0 block index      → the entry
//	a account block index    → the entry, once more
//	c                        → the cursor
//	v                        → the format's number
const (
	kindFile    = 'f'
	kindAccount = 'a'
	kindCursor  = 'c'
	kindVersion = 'v'
)

// format is the number of what is above. There is no migration: an index of another
// format is made again.
const format = 1

// Cursor is how far an index has come.
type Cursor struct {
	Genesis types.Hash        // of the chain
	First   types.BlockNumber // from which on it knows all
	Next    types.BlockNumber // that it has not seen
	Last    types.Hash        // hash of the block before; zeros if it has seen none
}

// Block is what is indexed of a block.
type Block struct {
	Number  types.BlockNumber
	Hash    types.Hash
	Entries []Entry // ascending
}

// Index is an index on disk. It belongs to one goroutine.
type Index struct {
	db     *pebble.DB
	cursor Cursor
}

var (
	entryCodec  = scale.CodecOf[Entry]()
	cursorCodec = scale.CodecOf[Cursor]()
)

// Open opens the index of a chain in a directory, or begins one there with a block. An
// index of another chain, or that another program uses, is an error.
func Open(dir string, genesis types.Hash, first types.BlockNumber) (*Index, error) {
	return open(vfs.Default, dir, genesis, first)
}

func open(fs vfs.FS, dir string, genesis types.Hash, first types.BlockNumber) (*Index, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w; is it in use by another program?", dir, err)
	}
	x := &Index{db: db, cursor: Cursor{Genesis: genesis, First: first, Next: first}}
	if err := x.begin(genesis); err != nil {
		return nil, errors.Join(fmt.Errorf("index %s: %w", dir, err), db.Close())
	}
	return x, nil
}

// quiet keeps the database from writing to the program's standard error.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf("index: "+format, a...)) }

// begin checks what the index is of, or writes it down.
func (x *Index) begin(genesis types.Hash) error {
	version, err := x.get([]byte{kindVersion})
	switch {
	case err != nil:
		return err
	case version == nil:
		b := x.db.NewBatch()
		defer b.Close()
		return errors.Join(b.Set([]byte{kindVersion}, []byte{format}, nil), b.Set([]byte{kindCursor}, cursorCodec.Append(nil, &x.cursor), nil), b.Commit(pebble.Sync))
	case !bytes.Equal(version, []byte{format}):
		return fmt.Errorf("its format is %x, and this program knows %d; delete it, and it is made again", version, format)
	}
	raw, err := x.get([]byte{kindCursor})
	if err != nil {
		return err
	}
	if err := decode(cursorCodec, raw, &x.cursor); err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	if x.cursor.Genesis != genesis {
		return fmt.Errorf("it is of the chain that begins with %v, not %v; give another directory", x.cursor.Genesis, genesis)
	}
	return nil
}

func decode[T any](codec scale.Codec[T], raw []byte, into *T) error {
	c := scale.NewCursor(raw)
	codec.Decode(c, into)
	return c.Finish()
}

// get is a copy of a value; nil if there is none.
func (x *Index) get(key []byte) ([]byte, error) {
	v, closer, err := x.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }

// Cursor is how far the index has come.
func (x *Index) Cursor() Cursor { return x.cursor }

// Add adds blocks, each the next one. Their entries and the cursor are on disk when
// it returns, or none of it is.
func (x *Index) Add(blocks ...Block) error {
	b := x.db.NewBatch()
	defer b.Close()
	to := x.cursor
	for i := range blocks {
		n := &blocks[i]
		if n.Number != to.Next {
			return fmt.Errorf("index: block %d, the next one is %d", n.Number, to.Next)
		}
		to.Next, to.Last = n.Number+1, n.Hash
		for j := range n.Entries {
			e := &n.Entries[j]
			v := entryCodec.Append(nil, e)
			if e.CID != "" {
				if err := b.Set(at(ofFile(e.CID), e.Key), v, nil); err != nil {
					return err
				}
			}
			for _, a := range e.Accounts {
				if err := b.Set(at(ofAccount(a), e.Key), v, nil); err != nil {
					return err
				}
			}
		}
	}
	if err := errors.Join(b.Set([]byte{kindCursor}, cursorCodec.Append(nil, &to), nil), b.Commit(pebble.Sync)); err != nil {
		return err
	}
	x.cursor = to
	return nil
}

func ofFile(cid string) []byte { return append(append([]byte{kindFile}, cid...), 0) }

func ofAccount(a types.AccountID) []byte { return append([]byte{kindAccount}, a[:]...) }

func at(list []byte, k Key) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(list, uint32(k.Block)), k.Index)
}

// File is what happened to a file after an entry, the oldest first; at most so many.
func (x *Index) File(cid string, after Key, limit int) ([]Entry, error) {
	return x.list(ofFile(cid), after, limit)
}

// Account is what happened to an account as payer, owner of a group, member or
// settler, after an entry, the oldest first; at most so many.
func (x *Index) Account(who types.AccountID, after Key, limit int) ([]Entry, error) {
	return x.list(ofAccount(who), after, limit)
}

func (x *Index) list(list []byte, after Key, limit int) (out []Entry, err error) {
	from := at(bytes.Clone(list), Key{after.Block, after.Index + 1})
	end := append(bytes.Clone(list), bytes.Repeat([]byte{0xff}, 9)...)
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok && len(out) < limit; ok = it.Next() {
		var e Entry
		if err := decode(entryCodec, it.Value(), &e); err != nil {
			return nil, errors.Join(fmt.Errorf("index: entry %x: %w", it.Key(), err), it.Close())
		}
		out = append(out, e)
	}
	return out, it.Close()
}
