package enclave

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/scale"
)

// TestMain runs the tests, or, as a child of them, an enclave.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CRUST_TEST_ENCLAVE"); dir != "" {
		if err := runEnclave(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runEnclave serves a core whose state is in a directory until it is killed.
func runEnclave(dir string) error {
	env := trusted.Env{Rand: rand.Reader, Sealing: [32]byte{1}}
	state, err := Load(filepath.Join(dir, "state"))
	if err != nil {
		return err
	}
	var core *trusted.Core
	if state == nil {
		c := prooftest.New()
		core, err = trusted.New(trusted.Birth{Account: c.Account, Genesis: c.Genesis.Hash(), Checkpoint: c.Checkpoint(new(testing.T))}, env)
	} else {
		core, err = trusted.Open(state, env)
	}
	if err != nil {
		return err
	}
	l, err := Listen(filepath.Join(dir, "socket"))
	if err != nil {
		return err
	}
	return Serve(context.Background(), l, &trusted.Server{Core: core, Lock: new(sync.Mutex), Par: lifecycle.Parallel,
		Quote: func(data [64]byte) ([]byte, error) { return append([]byte("quote of "), data[:]...), nil }})
}

// process is an enclave that runs as a child.
type process struct {
	t   testing.TB
	dir string
	cmd *exec.Cmd
}

func start(t testing.TB, dir string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), "CRUST_TEST_ENCLAVE="+dir)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be dead already
	_ = p.cmd.Wait()
}

// dial connects once the enclave listens, and says hello.
func (p *process) dial(unitLeaves uint32) (*Client, trusted.Identity) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := Dial(context.Background(), filepath.Join(p.dir, "socket"))
		if err != nil {
			if time.Now().After(deadline) {
				p.t.Fatal(err)
			}
			continue
		}
		p.t.Cleanup(func() { c.Close() })
		var id trusted.Identity
		call(p.t, c, &trusted.Hello{Version: trusted.Version, UnitLeaves: unitLeaves}, &id)
		if err := c.Share(); err != nil {
			p.t.Fatal(err)
		}
		return c, id
	}
}

func call(t testing.TB, c *Client, r trusted.Request, answer trusted.Message) {
	t.Helper()
	if err := c.Call(r, answer); err != nil {
		t.Fatalf("%T: %v", r, err)
	}
}

// disk keeps the units of a worker in memory.
type disk map[proof.UnitID]*unit

type unit struct {
	bytes  []byte
	hashes []proof.Hash
	rows   []proof.Hash // once it is closed
	closed trusted.Closed
}

func (u *unit) write(t testing.TB, e *trusted.Emitted) {
	t.Helper()
	if int(e.Offset) != len(u.bytes) {
		t.Fatalf("offset %d, the unit has %d bytes", e.Offset, len(u.bytes))
	}
	u.bytes = append(u.bytes, e.Bytes...)
	u.hashes = append(u.hashes, e.Hashes...)
}

// fill has a filler made, some leaves at a time.
func (d disk) fill(t testing.TB, c *Client, leaves uint32) {
	t.Helper()
	u := new(unit)
	for {
		var a trusted.FillAnswer
		call(t, c, &trusted.FillRequest{Leaves: leaves}, &a)
		u.write(t, &trusted.Emitted{Offset: uint64(len(u.bytes)), Bytes: a.Bytes, Hashes: a.Hashes})
		if a.Closed != nil {
			u.closed = *a.Closed
			d[a.Closed.Unit.ID] = u
			return
		}
	}
}

// check shows all leaves that a challenge asks for, some at a time.
func (d disk) check(t testing.TB, c *Client, asked []trusted.Asked, at, batch int) {
	t.Helper()
	for ; at < len(asked); at += batch {
		r := &trusted.CheckRequest{From: uint32(at)}
		for _, a := range asked[at:min(at+batch, len(asked))] {
			var s trusted.Shown
			if u := d[a.Unit.ID]; u != nil {
				s.Leaf = u.bytes[a.Leaf*proof.LeafSize:][:proof.LeafSize]
				if a.Kind == proof.Data {
					if u.rows == nil {
						u.rows = proof.UnitRows(u.hashes)
					}
					s.Path = proof.PathIn(u.rows, a.Leaf, a.Unit.Leaves)
				}
			}
			r.Shown = append(r.Shown, s)
		}
		var a trusted.CheckAnswer
		call(t, c, r, &a)
		if len(a.Wrong) > 0 {
			t.Fatalf("leaves %v from %d on are wrong", a.Wrong, at)
		}
	}
}

// graph is a file of leaves raw blocks under one root.
func graph(leaves, size int) (root dag.CID, blocks map[string][]byte) {
	blocks = map[string][]byte{}
	var node []byte
	for i := range leaves {
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, size/3+1)[:size]
		c := dag.Sum(dag.Raw, b)
		blocks[c.Key()] = b
		l := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c.Key()))), c.Key()...)
		node = append(binary.AppendUvarint(append(node, 2<<3|2), uint64(len(l))), l...)
	}
	root = dag.Sum(dag.DagPB, node)
	blocks[root.Key()] = node
	return root, blocks
}

// seal has a file sealed and the last of its units closed.
func (d disk) seal(t testing.TB, c *Client, root dag.CID, blocks map[string][]byte) (proof.File, map[proof.UnitID][][]byte) {
	t.Helper()
	var begun trusted.BeginAnswer
	call(t, c, &trusted.BeginRequest{CID: root, Limit: 1 << 40}, &begun)
	open := new(unit)
	records := map[proof.UnitID][][]byte{}
	for want := []dag.CID{root}; len(want) > 0; {
		r := trusted.PutRequest{File: begun.File}
		for _, cid := range want[:min(len(want), 5)] {
			r.Blocks = append(r.Blocks, trusted.Offered{CID: cid, Block: blocks[cid.Key()]})
		}
		want = want[len(r.Blocks):]
		var put trusted.PutAnswer
		call(t, c, &r, &put)
		if len(put.Put) != len(r.Blocks) {
			t.Fatalf("%d of %d blocks were sealed: %v", len(put.Put), len(r.Blocks), put.Refused)
		}
		for _, a := range put.Put {
			if a.Closed != nil {
				open.write(t, &a.End)
				open.closed = *a.Closed
				d[a.Closed.Unit.ID] = open
				open = new(unit)
			}
			open.write(t, &a.Record)
			records[a.Unit] = append(records[a.Unit], bytes.Clone(a.Record.Bytes))
			want = append(want, a.Wanted...)
		}
	}
	var ended trusted.EndAnswer
	call(t, c, &trusted.EndRequest{File: begun.File}, &ended)
	var closed trusted.CloseAnswer
	call(t, c, &trusted.CloseRequest{}, &closed)
	open.write(t, &closed.End)
	d[closed.Closed.Unit.ID] = open
	return ended.Entry, records
}

// A worker's slot over the socket: fill, seal, report, kill, recover, read.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	chain := prooftest.New()
	leaves := prooftest.Params.UnitLeaves
	c, id := p.dial(leaves)
	r := proof.NewRecord(id.Key, id.Lineage)
	chain.Record = &r
	if id.Account != chain.Account || id.Phase != trusted.Ready {
		t.Fatalf("%+v", id)
	}
	var q trusted.QuoteAnswer
	call(t, c, &trusted.QuoteRequest{Anchor: proof.Hash{5}}, &q)
	if want := proof.ReportData(id.Genesis, id.Account, id.Key, id.Lineage, proof.Hash{5}); !bytes.HasSuffix(q.Quote, want[:]) {
		t.Fatalf("%x", q.Quote)
	}

	d := disk{}
	d.fill(t, c, 3)
	var first trusted.Closed
	for _, u := range d {
		first = u.closed
	}
	d.fill(t, c, 100)
	root, blocks := graph(9, 70_000)
	entry, records := d.seal(t, c, root, blocks)
	if len(entry.Parts) < 2 {
		t.Fatalf("the file lies in %d units", len(entry.Parts))
	}

	var ledger proof.Ledger
	slot := func(c *Client) {
		t.Helper()
		chain.Next()
		var asked trusted.ChallengeAnswer
		call(t, c, &trusted.ChallengeRequest{Params: prooftest.Params, Slot: chain.Slot, Hash: chain.HashOf(chain.Slot), Beacon: chain.Beacon}, &asked)
		d.check(t, c, asked.Asked, 0, 5)
		var persist trusted.Persist
		call(t, c, &trusted.ReportRequest{}, &persist)
		if err := Save(filepath.Join(dir, "state"), persist.State); err != nil {
			t.Fatal(err)
		}
		var step proof.Transition
		decode(t, persist.Step, &step)
		var signed trusted.Signed
		call(t, c, &trusted.PersistedRequest{Seq: persist.Seq}, &signed)
		if err := chain.Report(signed.Message, signed.Signature); err != nil {
			t.Fatal(err)
		}
		if err := ledger.Apply(&step, false, leaves); err != nil {
			t.Fatal(err)
		}
	}
	slot(c)
	p.kill()
	if err := c.Call(&trusted.StateRequest{}, new(trusted.StateAnswer)); err == nil {
		t.Fatal("an answer of the dead")
	}

	p = start(t, dir)
	c, id = p.dial(leaves)
	if id.Phase != trusted.Loading || !id.Pending {
		t.Fatalf("%+v", id)
	}
	err := c.Call(&trusted.ChallengeRequest{Params: prooftest.Params, Slot: 20}, new(trusted.ChallengeAnswer))
	if !errors.Is(err, trusted.ErrLoading) || errors.Is(err, trusted.ErrEnded) {
		t.Fatal(err)
	}
	warp, nodes := chain.Final(t)
	var followed trusted.FollowAnswer
	call(t, c, &trusted.FollowRequest{Warp: warp, Nodes: nodes}, &followed)
	if followed.Outcome != trusted.Diverged { // the step was not loaded: the chain's plan has to be
		t.Fatal(followed.Outcome)
	}
	var sections [4][]byte
	for k := range 2 {
		for _, u := range ledger.Plan.Units(proof.Kind(k)) {
			sections[k] = u.AppendSCALE(sections[k])
		}
	}
	for _, f := range ledger.Files() {
		sections[2] = f.AppendSCALE(sections[2])
	}
	for i := range ledger.Log.Changes() {
		sections[3] = ledger.Log.Changes()[i].AppendSCALE(sections[3])
	}
	for s, b := range sections {
		call(t, c, &trusted.LoadRequest{Section: trusted.Section(s), Bytes: b}, new(trusted.Done))
	}
	call(t, c, &trusted.LoadedRequest{}, &id)
	if id.Phase != trusted.Ready || id.Record.Counter != 1 {
		t.Fatalf("%+v", id)
	}
	for u, rs := range records {
		for _, rec := range rs {
			var a trusted.OpenAnswer
			call(t, c, &trusted.OpenRequest{Unit: u, Record: rec}, &a)
			if !bytes.Equal(a.Block, blocks[a.CID.Key()]) {
				t.Fatal("a block differs")
			}
		}
	}
	filler := first
	call(t, c, &trusted.TicketRequest{Kind: proof.Filler, Unit: filler.Unit, Ticket: filler.Ticket}, new(trusted.Done))
	filler.Ticket[0] ^= 1
	err = c.Call(&trusted.TicketRequest{Kind: proof.Filler, Unit: filler.Unit, Ticket: filler.Ticket}, new(trusted.Done))
	if !errors.Is(err, trusted.ErrTicket) {
		t.Fatal(err)
	}
	slot(c)
}

func decode(t testing.TB, b []byte, u scale.Unmarshaler) {
	t.Helper()
	if err := scale.Decode(b, u); err != nil {
		t.Fatal(err)
	}
}

// Whoever breaks the rules of frames is cut off; the enclave lives.
func TestBadFrames(t *testing.T) {
	p := start(t, t.TempDir())
	p.dial(4)
	for name, b := range map[string][]byte{
		"empty frame":  {0, 0, 0, 0},
		"endless":      {0xff, 0xff, 0xff, 0xff, 1},
		"half a frame": {100, 0, 0, 0, 1, 2, 3},
	} {
		conn, err := net.Dial("unix", filepath.Join(p.dir, "socket"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.UnixConn).CloseWrite()
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: %d bytes of an answer", name, n)
		}
		conn.Close()
	}
	c, err := Dial(context.Background(), filepath.Join(p.dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var remote *trusted.RemoteError
	if err := c.Call(&trusted.StateRequest{}, new(trusted.StateAnswer)); !errors.As(err, &remote) {
		t.Errorf("without hello: %v", err)
	}
	if err := c.Call(&trusted.Hello{Version: 9}, new(trusted.Identity)); !errors.As(err, &remote) {
		t.Errorf("another version: %v", err)
	}
	p.dial(4)
	if _, err := Listen(filepath.Join(p.dir, "socket")); err == nil {
		t.Error("two enclaves on one socket")
	}
}

// An enclave that is stopped, so that the system takes what is sent and nobody answers, is
// noticed; killed and started again it is the same.
func TestHangs(t *testing.T) {
	p := start(t, t.TempDir())
	c, id := p.dial(4)
	var state trusted.StateAnswer
	call(t, c, &trusted.StateRequest{}, &state)
	if err := Save(filepath.Join(p.dir, "state"), state.State); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var stopped syscall.WaitStatus // until then it may still answer
	if _, err := syscall.Wait4(p.cmd.Process.Pid, &stopped, syscall.WUNTRACED, nil); err != nil || !stopped.Stopped() {
		t.Fatal(stopped, err)
	}
	c.timeout = 100 * time.Millisecond
	if err := c.Call(&trusted.FillRequest{Leaves: 1}, new(trusted.FillAnswer)); !errors.Is(err, ErrHangs) {
		t.Fatalf("a stopped enclave: %v", err)
	}
	p.kill()
	if _, again := start(t, p.dir).dial(4); again.Key != id.Key || again.Lineage != id.Lineage {
		t.Errorf("another enclave: %+v", again)
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if b, err := Load(path); b != nil || err != nil {
		t.Fatal(b, err)
	}
	for _, want := range []string{"one", "two"} {
		if err := Save(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if b, err := Load(path); err != nil || string(b) != want {
			t.Fatal(string(b), err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := Save(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("saved below a file")
	}
}

// serve runs the enclave of a new worker here, on a socket.
func serve(t testing.TB, chain *prooftest.Chain, random io.Reader) (path string) {
	t.Helper()
	core, err := trusted.New(trusted.Birth{Account: chain.Account, Genesis: chain.Genesis.Hash(), Checkpoint: chain.Checkpoint(t)}, trusted.Env{Rand: random})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "socket")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	g := lifecycle.NewGroup(ctx, time.Minute)
	g.Go("enclave", func(ctx context.Context) error {
		return Serve(ctx, l, &trusted.Server{Core: core, Lock: new(sync.Mutex)})
	})
	t.Cleanup(func() {
		stop()
		if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return path
}

// Connections work beside each other, without shared memory: they fill, seal and show leaves at a time.
func TestConnectionsAtATime(t *testing.T) {
	chain := prooftest.New()
	path := serve(t, chain, rand.Reader)
	const n = 4
	clients := make([]*Client, n)
	disks := make([]disk, n)
	var id trusted.Identity
	for i := range clients {
		var err error
		if clients[i], err = Dial(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		defer clients[i].Close()
		call(t, clients[i], &trusted.Hello{Version: trusted.Version, UnitLeaves: prooftest.Params.UnitLeaves}, &id)
	}
	lifecycle.Parallel(n, func(i int) {
		disks[i] = disk{}
		disks[i].fill(t, clients[i], 1)
		root, blocks := graph(3+i, 30_000)
		disks[i].seal(t, clients[i], root, blocks)
		disks[i].fill(t, clients[i], 4)
	})
	all := disk{}
	for _, d := range disks {
		for u, b := range d {
			all[u] = b
		}
	}
	r := proof.NewRecord(id.Key, id.Lineage)
	chain.Record = &r
	for range 2 {
		chain.Next()
		var asked trusted.ChallengeAnswer
		call(t, clients[0], &trusted.ChallengeRequest{Params: prooftest.Params, Slot: chain.Slot, Hash: chain.HashOf(chain.Slot), Beacon: chain.Beacon}, &asked)
		for _, a := range asked.Asked {
			if u := all[a.Unit.ID]; u.rows == nil {
				u.rows = proof.UnitRows(u.hashes) // before the connections share it
			}
		}
		lifecycle.Parallel(n, func(i int) {
			share := (len(asked.Asked) + n - 1) / n
			from := min(i*share, len(asked.Asked))
			all.check(t, clients[i], asked.Asked[:min(from+share, len(asked.Asked))], from, 2)
		})
		var persist trusted.Persist
		call(t, clients[1], &trusted.ReportRequest{}, &persist)
		var signed trusted.Signed
		call(t, clients[2], &trusted.PersistedRequest{Seq: persist.Seq}, &signed)
		if err := chain.Report(signed.Message, signed.Signature); err != nil {
			t.Fatal(err)
		}
		warp, nodes := chain.Final(t)
		var followed trusted.FollowAnswer
		call(t, clients[3], &trusted.FollowRequest{Warp: warp, Nodes: nodes}, &followed)
		if followed.Outcome != trusted.Committed {
			t.Fatal(followed.Outcome)
		}
	}
	if r.Plan.Filler != 2*n*4 || r.FilesSize == 0 || len(chain.Bad) > 0 {
		t.Fatalf("%+v", r)
	}
}
