package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base32"
	"encoding/json"
	"math"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/test/program"
)

// source is a node of the IPFS network that has files, which can go and come back.
type source struct {
	w     *world
	store *vault.DB
	gate  *gate
	cfg   engine.Config
	e     *engine.Engine
}

// gate gives so many blocks, and more when it is opened.
type gate struct {
	vault.Reader
	left   atomic.Int64
	opened chan struct{}
}

func (g *gate) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	if g.left.Add(-1) < 0 {
		select {
		case <-g.opened:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.Reader.Get(ctx, c)
}

// newSource makes a source that sends so many bytes a second.
func (w *world) newSource(rate int64) *source {
	w.t.Helper()
	store, err := vault.Open(w.t.TempDir())
	w.ok(err)
	s := &source{w: w, store: store, gate: &gate{Reader: store, opened: make(chan struct{})}}
	s.gate.left.Store(math.MaxInt64)
	s.cfg = engine.Config{Key: [32]byte{7}, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Store: s.gate, Up: engine.NewLimit(rate)}
	s.open()
	w.t.Cleanup(func() {
		s.close()
		if err := store.Close(); err != nil {
			w.t.Error(err)
		}
	})
	address, _, _ := strings.Cut(s.address(), "/p2p/")
	s.cfg.Listen = []string{address} // the same when it comes back
	return s
}

func (s *source) open() {
	s.w.t.Helper()
	e, err := engine.Open(s.cfg)
	s.w.ok(err)
	s.e = e
}

func (s *source) close() {
	if s.e != nil {
		if err := s.e.Close(); err != nil {
			s.w.t.Error(err)
		}
	}
	s.e = nil
}

func (s *source) address() string { return s.e.Addresses()[0] }

// add puts a file into the source and orders it, with so many bytes more than it has.
func (s *source) add(root dag.CID, content map[dag.CID][]byte, size int) {
	s.w.t.Helper()
	i, err := s.store.Import(s.w.ctx)
	s.w.ok(err)
	for c, b := range content {
		s.w.ok(i.Put(s.w.ctx, []vault.Block{{CID: c, Data: b}}))
	}
	_, err = i.Finish(s.w.ctx, root, uint64(size))
	s.w.ok(err)
	s.w.ok(i.Close(s.w.ctx))
}

// order orders a file from an account; the memo says where it is.
func (w *world) order(root dag.CID, size int, memo string) string {
	w.t.Helper()
	w.crust("file", "order", root.String(), strconv.Itoa(size), "--memo", memo, "--suri", user, "--yes", "--wait", "inblock")
	return root.String()
}

// fetcher starts a storage node in a group of its own.
func (w *world) fetcher(args ...string) *node {
	w.t.Helper()
	w.group(owner, member)
	n := w.add(member, owner, 2, args...)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("%s ends with\n%s", n.Name, n.Tail())
		}
	})
	return n
}

// figure reads a figure of the node.
func (n *node) figure(name string) float64 {
	n.w.t.Helper()
	r, err := http.NewRequestWithContext(n.w.ctx, http.MethodGet, n.Metrics(), nil)
	n.w.ok(err)
	answer, err := http.DefaultClient.Do(r)
	n.w.ok(err)
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			n.w.ok(err)
			return v
		}
	}
	return 0
}

// cameIn is how many bytes of blocks came from others since the start.
func (n *node) cameIn() float64 { return n.figure(`crust_ipfs_block_bytes_total{direction="in"}`) }

// files are the files that the node has to their end.
func (n *node) files() (all []struct {
	CID   string
	Bytes int
}) {
	n.w.t.Helper()
	n.ask("/files", &all)
	return all
}

// data is how many bytes of blocks complete units have, about: of each its last leaf is
// not counted.
func (n *node) data() (sum int) {
	n.w.t.Helper()
	var units []struct {
		Kind  string
		Bytes int
	}
	n.ask("/units", &units)
	for _, u := range units {
		if u.Kind == "data" {
			sum += u.Bytes - 2*proof.LeafSize
		}
	}
	return sum
}

// stage is where an order is, as everybody can see.
func (w *world) stage(file string) (stage string, replicas int) {
	w.t.Helper()
	var s struct {
		Stage    string
		Reported int
	}
	w.ok(json.Unmarshal(w.crust("file", "status", file, "--json"), &s))
	return s.Stage, s.Reported
}

// resumes fetches a file, kills the node when half of it is sealed, and starts it again:
// what is sealed is not fetched once more, and the replica is reported. Meanwhile is
// called now and then.
func (w *world) resumes(root dag.CID, content map[dag.CID][]byte, size int, from *source, meanwhile func()) {
	w.t.Helper()
	from.add(root, content, size)
	n := w.fetcher()
	file := w.order(root, size, from.address())
	w.await("half of the file", func() bool { meanwhile(); return n.data() > size/2 })
	if stage, _ := w.stage(file); stage != "ordered" || len(n.files()) != 0 {
		w.t.Fatalf("half of it is here: the order is %s, the node has %+v", stage, n.files())
	}
	sealed := n.data()
	w.ok(n.Kill())
	close(from.gate.opened)
	w.ok(n.Start(w.ctx))
	w.await("the file", func() bool { meanwhile(); return len(n.files()) == 1 })
	if f := n.files()[0]; f.CID != file || f.Bytes != size {
		w.t.Fatalf("%+v; the file is %s and has %d bytes", f, file, size)
	}
	if in := int(n.cameIn()); in > size-sealed {
		w.t.Errorf("%d bytes came after the restart; of %d were %d sealed before it", in, size, sealed)
	} else {
		w.t.Logf("%d bytes came after the restart; of %d were %d sealed before it", in, size, sealed)
	}
	w.await("the replica", func() bool { _, n := w.stage(file); return n == 1 })
	w.await("garbage to leave", func() bool { meanwhile(); return n.data() < size+size/8 })
}

// A storage node that is killed in the middle of a fetch goes on where it was.
func TestResume(t *testing.T) {
	w := start(t, 1, func(p *runtime.Preset) { p.Market.PendingLife *= 4 }) // a slow machine is no reason for an order to end
	root, content, size := file(240, 128<<10)
	from := w.newSource(10 << 20)
	from.gate.left.Store(180) // it has to be seen when a part is here, however long that takes
	w.resumes(root, content, size, from, func() {})
}

// The same with 300 MB over a connection that breaks all the time.
func TestLongResume(t *testing.T) {
	program.Long(t)
	w := start(t, 1, func(*runtime.Preset) {})
	root, content, size := file(1200, 256<<10)
	from, last := w.newSource(20<<20), time.Now()
	w.resumes(root, content, size, from, func() {
		if time.Since(last) > 3*time.Second {
			from.close()
			from.open()
			last = time.Now()
		}
	})
}

// Orders that cannot be fetched stay ordered, nothing of them is reported, and they do
// not keep a good one from being live.
func TestLongHopeless(t *testing.T) {
	program.Long(t)
	w := start(t, 1, func(p *runtime.Preset) { p.Market.PendingLife *= 4 }) // longer than it takes to find that nobody has a file
	from := w.newSource(0)
	n := w.fetcher("--disk", shortDir(t)+":64MiB")
	graphs := func(blocks, size int) (dag.CID, map[dag.CID][]byte, int) {
		root, content, total := file(blocks, size)
		from.add(root, content, total)
		return root, content, total
	}
	result := func(name string) float64 { return n.figure(`crust_ipfs_fetches_total{result="` + name + `"}`) }
	var bad []string
	root, _, size := graphs(30, 1000)
	bad = append(bad, w.order(root, size-1, from.address())) // says that it is smaller
	root, _, _ = graphs(31, 1000)
	bad = append(bad, w.order(root, 80<<20, from.address())) // as large as no disk here
	root, _, size = file(32, 1000)
	bad = append(bad, w.order(root, size, "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN")) // nobody is there
	root, content, size := file(33, 100_000)
	vanishing := w.newSource(500_000)
	vanishing.cfg.Key[0]++ // another peer
	vanishing.close()
	vanishing.open()
	vanishing.add(root, content, size)
	bad = append(bad, w.order(root, size, vanishing.address()))
	w.await("some of the file whose source goes", func() bool { return n.cameIn() > 500_000 })
	vanishing.close()
	w.await("what is too large", func() bool { return result("too_large") >= 1 })
	root, _, size = graphs(20, 100_000)
	good := w.order(root, size, from.address())
	w.await("a replica of the good one", func() bool { _, n := w.stage(good); return n == 1 })
	w.await("no source", func() bool { return result("no_source") >= 1 })
	w.await("a source that goes", func() bool { return result("stalled") >= 1 })
	for _, file := range bad {
		if stage, replicas := w.stage(file); stage != "ordered" || replicas != 0 {
			t.Errorf("%s: %s, %d replicas", file, stage, replicas)
		}
	}
	if f := n.files(); len(f) != 1 || f[0].CID != good || f[0].Bytes != size {
		t.Errorf("the node has %+v", f)
	}
	if r := w.recordOf(member); r.Changes != 1 || r.FilesSize != uint64(size) {
		t.Errorf("the chain has %d changes and %d bytes of files", r.Changes, r.FilesSize)
	}
	for _, raw := range [][]byte{{1, 0x71, 0x15, 4, 1, 2, 3, 4}, {1, 0x90, 1, 0x12, 4, 1, 2, 3, 4}} { // a hash and a codec that nobody seals
		text := "b" + strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(raw), "="))
		cmd := exec.CommandContext(w.ctx, program.Path(), "file", "order", text, "1000", "--suri", user, "--yes", "--url", w.Nodes[0].URL("ws"))
		if out, err := cmd.CombinedOutput(); err == nil || bytes.Contains(out, []byte("panic")) {
			t.Errorf("%s was ordered: %s", text, out)
		} else {
			t.Logf("%s", out)
		}
	}
}
