package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// unitLeaves is that of the tests' chain: units of 256 KiB.
const unitLeaves = 4

// machine is a computer with an enclave, disks and a worker.
type machine struct {
	t     testing.TB
	dir   string
	chain *prooftest.Chain
	core  *trusted.Core
	w     *Worker
	stop  func()
}

func (m *machine) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// newMachine makes a machine whose worker is registered.
func newMachine(t testing.TB) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "worker") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{t: t, dir: dir, chain: prooftest.New()}
	m.bear()
	return m
}

// bear makes the enclave's first state, and registers it.
func (m *machine) bear() {
	m.t.Helper()
	core, err := trusted.New(trusted.Birth{Account: m.chain.Account, Genesis: m.chain.Genesis.Hash(), Checkpoint: m.chain.Checkpoint(m.t)}, env)
	m.ok(err)
	state, err := core.State()
	m.ok(err)
	m.ok(enclave.Save(m.state(), state))
	id := core.Identity()
	r := proof.NewRecord(id.Key, id.Lineage)
	m.chain.Record = &r
}

var env = trusted.Env{Rand: rand.Reader, Sealing: [32]byte{1}}

func (m *machine) state() string { return filepath.Join(m.dir, "state") }

// startEnclave serves the core of the saved state.
func (m *machine) startEnclave() (stop func()) {
	m.t.Helper()
	state, err := enclave.Load(m.state())
	m.ok(err)
	m.core, err = trusted.Open(state, env)
	m.ok(err)
	l, err := enclave.Listen(filepath.Join(m.dir, "socket"))
	m.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	g := lifecycle.NewGroup(ctx, time.Minute)
	s := &trusted.Server{Core: m.core, Lock: new(sync.Mutex), Par: lifecycle.Parallel}
	g.Go("enclave", func(ctx context.Context) error { return enclave.Serve(ctx, l, s) })
	return func() {
		cancel()
		if err := g.Wait(); err != nil {
			m.t.Error(err)
		}
	}
}

// config is that of the machine's worker: one disk of some number of units.
func (m *machine) config(units int) Config {
	return Config{
		Socket: filepath.Join(m.dir, "socket"), State: m.state(), Dir: m.dir, UnitLeaves: unitLeaves, Log: testLog(),
		Disks: []disk.Config{{Dir: filepath.Join(m.dir, "disk-1"), Limit: uint64(units) * disk.FileSize(unitLeaves)}},

		compactEvery: time.Hour, // tests say when, and count units, on however slow a machine
	}
}

// testLog is silent unless somebody wants to see.
func testLog() *slog.Logger {
	if os.Getenv("CRUST_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// start starts enclave and worker.
func (m *machine) start(cfg Config) {
	m.t.Helper()
	stopEnclave := m.startEnclave()
	w, err := Open(context.Background(), cfg)
	if err != nil {
		stopEnclave()
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := lifecycle.NewGroup(ctx, time.Minute)
	g.Go("worker", w.Run)
	m.w = w
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := g.Wait(); err != nil {
			m.t.Error(err)
		}
		if err := w.Close(); err != nil {
			m.t.Error(err)
		}
		stopEnclave()
	})
	m.t.Cleanup(m.stop)
}

// until waits for something that goroutines bring about.
func (m *machine) until(what string, is func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// startFilled starts a worker with room for so many units, and waits until it has so many fillers.
func (m *machine) startFilled(units, fillers int) Config {
	m.t.Helper()
	cfg := m.config(units)
	cfg.Filler = uint64(fillers) * unitLeaves * proof.LeafSize
	m.start(cfg)
	m.filled(fillers)
	return cfg
}

// filled waits until there are some number of fillers.
func (m *machine) filled(n int) {
	m.t.Helper()
	m.until("there are fillers", func() bool {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		return m.w.fillers() == uint64(n)*m.w.unitBytes()
	})
}

// signed signs a heartbeat of the chain's slot.
func (m *machine) signed() (*trusted.Signed, error) {
	c := m.chain
	return m.w.Heartbeat(context.Background(), prooftest.Params, Slot{c.Slot, c.HashOf(c.Slot), c.Beacon})
}

// follow shows the worker what is final.
func (m *machine) follow() trusted.Outcome {
	m.t.Helper()
	warp, nodes := m.chain.Final(m.t)
	o, err := m.w.Follow(warp, nodes, prooftest.Params.AuditWindow)
	m.ok(err)
	return o
}

// slot lives through a slot in which a heartbeat is accepted and becomes final.
func (m *machine) slot() {
	m.t.Helper()
	m.chain.Next()
	s, err := m.signed()
	m.ok(err)
	m.ok(m.chain.Report(s.Message, s.Signature))
	if o := m.follow(); o != trusted.Committed {
		m.t.Fatalf("outcome %d of a report that is final", o)
	}
}

// tell tells the chain all changes of files.
func (m *machine) tell() {
	m.t.Helper()
	for m.chain.Record.Changes < m.w.Changes() {
		s, err := m.w.FileReport(m.chain.Record.Changes)
		m.ok(err)
		m.ok(m.chain.Files(s.Message, s.Signature))
	}
	m.follow()
}

// graph is a file: its root and all of its blocks.
type graph struct {
	root   dag.CID
	blocks map[dag.CID][]byte
	size   uint64
}

// newGraph is a file of random blocks below a node, from a seed.
func newGraph(seed uint64, blocks, size int) *graph {
	g := &graph{blocks: map[dag.CID][]byte{}}
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	from := mrand.NewChaCha8(s)
	var node []byte
	for range blocks {
		b := make([]byte, size)
		from.Read(b)
		c := dag.Sum(dag.Raw, b)
		g.add(c, b)
		l := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c.Bytes()))), c.Bytes()...)
		node = append(binary.AppendUvarint(append(node, 2<<3|2), uint64(len(l))), l...)
	}
	node = append(node, 1<<3|2, 0)
	g.root = dag.Sum(dag.DagPB, node)
	g.add(g.root, node)
	return g
}

func (g *graph) add(c dag.CID, b []byte) {
	g.blocks[c] = b
	g.size += uint64(len(b))
}

// seal seals a file and commits it.
func (g *graph) seal(w *Worker) error {
	ctx := context.Background()
	s, err := w.Begin(ctx, g.root, g.size)
	if err != nil {
		return err
	}
	for want := []dag.CID{g.root}; len(want) > 0; {
		n := min(len(want), 16)
		var blocks []Block
		for _, c := range want[:n] {
			blocks = append(blocks, Block{c, g.blocks[c]})
		}
		more, err := s.Put(ctx, blocks)
		if err != nil {
			return err
		}
		want = append(want[n:], more...)
	}
	size, err := s.Commit(ctx)
	if err == nil && size != g.size {
		err = errors.New("another size than that of the blocks")
	}
	return err
}

// check reads every block back.
func (g *graph) check(w *Worker) error {
	for c, b := range g.blocks {
		got, err := w.Get(context.Background(), c)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, b) {
			return errors.New("another block than the one that was sealed")
		}
		if n, err := w.Size(context.Background(), c); err != nil || n != len(b) {
			return errors.New("another size than that of the block")
		}
	}
	return nil
}
