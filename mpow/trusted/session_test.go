package trusted

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// noLock is for sessions of one goroutine.
type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

func newServer(h *host) *Server {
	return &Server{Core: h.core, Lock: noLock{}, Quote: func(d [64]byte) ([]byte, error) { return d[:], nil }}
}

// do sends a request and decodes the answer, as a worker does.
func do(n *Session, r Request, a Message) error {
	return DecodeAnswer(n.Handle(nil, AppendRequest(nil, r)), a)
}

// requests is one of each kind, with something in every field.
func requests() []Request {
	cid := dag.Sum(dag.Raw, []byte("x"))
	return []Request{
		&Hello{Version, 4}, &QuoteRequest{Hash{1}}, &LoadRequest{LoadFiles, []byte{1, 2}}, &LoadedRequest{},
		&FollowRequest{[]byte{1}, [][]byte{{2}, {3, 4}}}, &FillRequest{2},
		&TicketRequest{Kind: proof.Data, Unit: proof.Descriptor{ID: proof.UnitID{1}, Leaves: 2}, Ticket: Ticket{3}},
		&TicketRequest{File: &proof.File{CID: cid.Bytes(), Size: 1, Parts: []proof.Part{{Records: 1}}}},
		&BeginRequest{cid, 9}, &PutRequest{proof.FileID{1}, []Offered{{cid, []byte("x")}, {cid, []byte("yz")}}}, &CloseRequest{}, &EndRequest{proof.FileID{1}},
		&AbandonRequest{proof.FileID{1}}, &OpenRequest{proof.UnitID{1}, []byte{2}}, &DeleteRequest{cid},
		&MoveRequest{proof.FileID{1}, proof.UnitID{2}, []byte{3}}, &ChallengeRequest{testParams, 20, Hash{1}, Hash{2}},
		&CheckRequest{3, []Shown{{[]byte{1}, []Hash{{2}}}, {nil, []Hash{}}}}, &ReportRequest{[]proof.UnitID{{1}}, []proof.UnitID{{2}}},
		&LossRequest{testParams, 9, []proof.UnitID{{1}}}, &PersistedRequest{7}, &FilesRequest{1, 2}, &StateRequest{}, &AgainRequest{cid},
	}
}

func TestRequestsRoundTrip(t *testing.T) {
	kinds := map[uint8]bool{}
	for _, r := range requests() {
		b := AppendRequest(nil, r)
		got, err := DecodeRequest(b)
		if err != nil {
			t.Errorf("%T: %v", r, err)
			continue
		}
		if diff := cmp.Diff(r, got, cmp.Comparer(func(a, b dag.CID) bool { return a == b }), cmp.Comparer(bytes.Equal)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", r, diff)
		}
		kinds[r.kind()] = true
		if _, err := DecodeRequest(append(b, 0)); err == nil {
			t.Errorf("%T: a byte too many", r)
		}
	}
	if len(kinds) != 23 {
		t.Errorf("%d kinds of requests", len(kinds))
	}
}

// Errors keep what callers tell apart.
func TestRemoteErrors(t *testing.T) {
	for i := 1; i < len(codes); i++ {
		err := DecodeAnswer(AppendAnswer(nil, nil, codes[i]), new(Done))
		for j := 1; j < len(codes); j++ {
			if errors.Is(err, codes[j]) != (i == j) {
				t.Errorf("error %d is error %d: %v", i, j, err)
			}
		}
	}
	long := errors.New(string(bytes.Repeat([]byte("x"), 5000)))
	var remote *RemoteError
	if err := DecodeAnswer(AppendAnswer(nil, nil, long), new(Done)); !errors.As(err, &remote) || len(remote.Text) != maxText {
		t.Errorf("a long text: %v", err)
	}
	for _, b := range [][]byte{nil, {2}, {1}, {0, 1}, {1, 0, 5, 1}} {
		if DecodeAnswer(b, new(Done)) == nil {
			t.Errorf("%x is an answer", b)
		}
	}
}

// A move over a session, record by record; a session that ends gives its files up.
func TestSession(t *testing.T) {
	h := newHost(t, newChain())
	g := newGraph(1, 4, 50_000)
	d := h.seal(g)
	h.slot()
	s := newServer(h)
	n := s.NewSession()
	if err := do(n, &CloseRequest{}, new(CloseAnswer)); err == nil {
		t.Fatal("before hello")
	}
	h.ok(do(n, &Hello{Version, 4}, new(Identity)))
	from := d.entry.Parts[0].Unit
	moved := false
	for _, rec := range d.records[from] {
		var a RecordAnswer
		h.ok(do(n, &MoveRequest{d.entry.ID, from, rec}, &a))
		if a.Moved != nil {
			moved = true
			if a.Moved.Entry.Parts[0].Unit == from && len(a.Moved.Entry.Parts) == 1 {
				t.Fatalf("%+v", a.Moved.Entry)
			}
		}
	}
	if !moved {
		t.Fatal("all records came, and the move did not end")
	}
	if err := do(n, &MoveRequest{d.entry.ID, from, d.records[from][0]}, new(RecordAnswer)); !errors.Is(err, ErrUnknown) {
		t.Fatalf("out of a unit that holds nothing of the file: %v", err)
	}

	other := newGraph(2, 2, 100)
	h.ok(do(n, &BeginRequest{other.root, 1 << 20}, new(BeginAnswer)))
	m := s.NewSession()
	h.ok(do(m, &Hello{Version, 4}, new(Identity)))
	if err := do(m, &BeginRequest{other.root, 1 << 20}, new(BeginAnswer)); !errors.Is(err, ErrHeld) {
		t.Fatalf("two sessions seal one file: %v", err)
	}
	n.Close()
	h.ok(do(m, &BeginRequest{other.root, 1 << 20}, new(BeginAnswer)))
}

// Of several blocks those before the first that is wrong are sealed; the rest can be
// offered again, right.
func TestPutSeveral(t *testing.T) {
	h := newHost(t, newChain())
	g := newGraph(3, 5, 70_000)
	n := newServer(h).NewSession()
	h.ok(do(n, &Hello{Version, 4}, new(Identity)))
	var begun BeginAnswer
	h.ok(do(n, &BeginRequest{g.root, g.size}, &begun))
	offer := func(cids ...dag.CID) (r PutRequest) {
		r.File = begun.File
		for _, c := range cids {
			r.Blocks = append(r.Blocks, Offered{c, g.blocks[c.Key()]})
		}
		return r
	}
	var a PutAnswer
	first := offer(g.root)
	h.ok(do(n, &first, &a))
	if len(a.Put) != 1 || len(a.Put[0].Wanted) != 5 || a.Refused != nil {
		t.Fatalf("the root: %+v", a)
	}
	want := a.Put[0].Wanted
	wrong := offer(want...)
	wrong.Blocks[2].Block = wrong.Blocks[3].Block
	a = PutAnswer{}
	h.ok(do(n, &wrong, &a))
	if len(a.Put) != 2 || !errors.Is(a.Refused, dag.ErrMismatch) {
		t.Fatalf("with a wrong third: %d sealed, refused %v", len(a.Put), a.Refused)
	}
	if err := do(n, &EndRequest{begun.File}, new(EndAnswer)); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("ended without three blocks: %v", err)
	}
	again := offer(want[1:]...)
	a = PutAnswer{}
	h.ok(do(n, &again, &a))
	if len(a.Put) != 0 || !errors.Is(a.Refused, dag.ErrNotWanted) {
		t.Fatalf("with one that was sealed: %d sealed, refused %v", len(a.Put), a.Refused)
	}
	rest := offer(want[2:]...)
	a = PutAnswer{}
	h.ok(do(n, &rest, &a))
	if len(a.Put) != 3 || a.Refused != nil {
		t.Fatalf("the rest: %d sealed, refused %v", len(a.Put), a.Refused)
	}
	for i, p := range a.Put { // what was emitted is whole, though all of it came in one answer
		if size := recordSize(want[2+i], g.blocks[want[2+i].Key()]); uint64(len(p.Record.Bytes)) != size {
			t.Errorf("record %d has %d bytes, want %d", i, len(p.Record.Bytes), size)
		}
		if _, block, err := h.core.secret.open(nil, &p.Unit, p.Record.Bytes); err != nil || !bytes.Equal(block, g.blocks[want[2+i].Key()]) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	h.ok(do(n, &EndRequest{begun.File}, new(EndAnswer)))
	large := PutRequest{File: begun.File}
	for range 9 {
		large.Blocks = append(large.Blocks, Offered{g.root, make([]byte, dag.MaxBlock)})
	}
	if err := do(n, &large, new(PutAnswer)); err == nil {
		t.Error("18 MiB at a time")
	}
}

// FuzzSession: whatever frames come, in whatever order, the session answers each, and
// what it answers is an answer.
func FuzzSession(f *testing.F) {
	var all []byte
	for _, r := range requests() {
		b := AppendRequest(nil, r)
		if len(b) < 256 {
			all = append(append(all, byte(len(b))), b...)
		}
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHost(t, newChain())
		n := newServer(h).NewSession()
		n.Handle(nil, AppendRequest(nil, &Hello{Version, 4}))
		for len(b) > 0 {
			size := min(int(b[0]), len(b)-1)
			out := n.Handle(nil, b[1:1+size])
			if len(out) == 0 || out[0] > 1 {
				t.Fatalf("answer %x", out)
			}
			b = b[1+size:]
		}
		n.Close()
	})
}
