package trusted

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
)

// Locker lets one session at a time touch the core.
type Locker interface {
	Lock()
	Unlock()
}

// Server answers for a core to the sessions of a worker.
type Server struct {
	Core *Core
	Lock Locker
	// Quote makes the platform's quote over 64 bytes of report data; Server asks for
	// none but those of Core.ReportData.
	Quote func(reportData [64]byte) ([]byte, error)
	Par   light.Par // for signatures; nil runs them in turn
}

// Session is one connection of a worker: it has at most one filler and one data unit
// that are being written, and the files that it began. It belongs to one goroutine;
// sessions run beside each other but for what touches the core.
type Session struct {
	s       *Server
	size    uint32 // of a unit, in leaves; 0 before Hello
	filler  *Filler
	unit    *DataUnit
	files   map[proof.FileID]*File
	move    *Move
	scratch Scratch
	leaf    []byte // of the filler, the last that was made
	hashes  []Hash // of those in one answer
	out     []byte // what the answer is appended to
}

// NewSession begins a connection.
func (s *Server) NewSession() *Session {
	return &Session{s: s, files: map[proof.FileID]*File{}}
}

// Close ends it: what was not complete is lost.
func (n *Session) Close() {
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	for _, f := range n.files { //arch:allow maprange the order in which files are abandoned does not show
		n.s.Core.Abandon(f)
	}
	n.files, n.filler, n.unit, n.move = nil, nil, nil, nil
}

// Handle answers the body of one frame with the body of another, which it appends to
// dst. It believes nothing that it reads back from there: the host may have changed it.
func (n *Session) Handle(dst, body []byte) []byte {
	n.out = dst
	r, err := DecodeRequest(body)
	if hello, ok := r.(*Hello); err == nil && n.size == 0 && !ok {
		err = errors.New("trusted: a connection begins with hello")
	} else if ok && hello.Version != Version {
		err = fmt.Errorf("trusted: version %d of the frames; this enclave speaks %d", hello.Version, Version)
	}
	if err != nil {
		return n.answer(nil, err)
	}
	// The requests that take time do it without the core.
	switch r := r.(type) {
	case *FillRequest:
		return n.inPlace(n.fill(n.out, r))
	case *PutRequest:
		return n.inPlace(n.put(n.out, r))
	case *MoveRequest:
		return n.answer(n.moveRecord(r))
	case *CheckRequest:
		return n.answer(n.check(r))
	case *OpenRequest:
		return n.inPlace(n.open(n.out, r))
	}
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	return n.answer(n.locked(r))
}

// inPlace is the answer that was appended already, unless there was an error.
func (n *Session) inPlace(out []byte, err error) []byte {
	if err != nil {
		return n.answer(nil, err)
	}
	return out
}

func (n *Session) answer(m Message, err error) []byte { return AppendAnswer(n.out, m, err) }

// locked answers the requests that need the core.
func (n *Session) locked(r Request) (Message, error) { //arch:allow longfunc a table of one case a request
	core := n.s.Core
	done := new(Done)
	switch r := r.(type) {
	case *Hello:
		if r.UnitLeaves == 0 || r.UnitLeaves > proof.MaxUnitLeaves {
			return nil, fmt.Errorf("%w: %d", ErrUnitSize, r.UnitLeaves)
		}
		n.size = r.UnitLeaves
		id := core.Identity()
		return &id, nil
	case *QuoteRequest:
		q, err := n.s.Quote(core.ReportData(r.Anchor))
		return &QuoteAnswer{q}, err
	case *LoadRequest:
		return done, core.Load(r.Section, r.Bytes)
	case *LoadedRequest:
		if err := core.Loaded(); err != nil {
			return nil, err
		}
		id := core.Identity()
		return &id, nil
	case *FollowRequest:
		o, err := core.Follow(r.Warp, r.Nodes, n.s.Par)
		if err != nil {
			return nil, err
		}
		state, err := core.State()
		return &FollowAnswer{o, core.Identity().Final, state}, err
	case *TicketRequest:
		if r.File != nil {
			return done, core.RestoreFile(*r.File, r.Ticket)
		}
		return done, core.RestoreUnit(r.Kind, r.Unit, r.Ticket)
	case *BeginRequest:
		f, err := core.Begin(r.CID, r.Limit)
		if err != nil {
			return nil, err
		}
		n.files[f.ID()] = f
		return &BeginAnswer{f.ID()}, nil
	case *CloseRequest:
		return n.closeUnit()
	case *EndRequest:
		f := n.files[r.File]
		if f == nil {
			return nil, fmt.Errorf("file %x: %w", r.File, ErrUnknown)
		}
		entry, ticket, err := core.End(f)
		if err == nil {
			delete(n.files, r.File)
		}
		return &EndAnswer{entry, ticket}, err
	case *AbandonRequest:
		if f := n.files[r.File]; f != nil {
			core.Abandon(f)
			delete(n.files, r.File)
		}
		return done, nil
	case *DeleteRequest:
		return done, core.Delete(r.CID)
	case *AgainRequest:
		return done, core.TellAgain(r.CID)
	case *ChallengeRequest:
		ch, err := core.Challenge(r.Params, r.Slot, r.Hash, r.Beacon)
		if err != nil {
			return nil, err
		}
		return &ChallengeAnswer{ch.Asked()}, nil
	case *ReportRequest:
		return orNil(core.Report(r.Drop, r.Lost))
	case *LossRequest:
		return orNil(core.Loss(r.Params, r.Until, r.Lost))
	case *PersistedRequest:
		return orNil(core.Persisted(r.Seq))
	case *FilesRequest:
		return orNil(core.Files(r.From, int(min(r.Limit, proof.MaxFileChanges))))
	case *StateRequest:
		state, err := core.State()
		return &StateAnswer{state}, err
	}
	return nil, fmt.Errorf("trusted: no answer to %T", r)
}

// orNil keeps a nil pointer from becoming a message.
func orNil[M Message](m M, err error) (Message, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// open writes the answer in place: a block is decrypted where it is sent from. It reads only
// what never changes.
func (n *Session) open(dst []byte, r *OpenRequest) ([]byte, error) {
	h, err := ReadHeader(r.Record)
	if err != nil {
		return nil, err
	}
	k := coder{dst: append(dst, 0)}
	k.cid(&h.CID)
	_, dst, err = n.s.Core.secret.open(scale.AppendCompact(k.dst, uint64(h.Size)), &r.Unit, r.Record)
	return dst, err
}

// fill writes the answer in place, leaf by leaf, so that each is copied while it is in the cache. It
// is made in memory of the enclave's own: what is hashed has to be what was made.
func (n *Session) fill(dst []byte, r *FillRequest) ([]byte, error) {
	if r.Leaves == 0 || r.Leaves > MaxLeaves {
		return nil, fmt.Errorf("trusted: %d leaves in one request, at most %d", r.Leaves, MaxLeaves)
	}
	if n.filler == nil {
		if err := n.openFiller(); err != nil {
			return nil, err
		}
	}
	if n.leaf == nil {
		n.leaf = make([]byte, proof.LeafSize)
	}
	leaves := min(int(r.Leaves), n.filler.Left())
	k := coder{dst: scale.AppendCompact(append(dst, 0), uint64(leaves)*proof.LeafSize)}
	n.hashes = n.hashes[:0]
	for range leaves {
		var err error
		if n.hashes, err = n.filler.Next(n.leaf, n.hashes); err != nil {
			return nil, err
		}
		k.dst = append(k.dst, n.leaf...)
	}
	k.hashes(&n.hashes, MaxLeaves)
	var closed *Closed
	if n.filler.Left() == 0 {
		var err error
		if closed, err = n.closeFiller(); err != nil {
			return nil, err
		}
	}
	k.closed(&closed)
	return k.dst, nil
}

func (n *Session) openFiller() (err error) {
	n.s.Lock.Lock() // for the source of randomness
	defer n.s.Lock.Unlock()
	n.filler, err = n.s.Core.OpenFiller(n.size)
	return err
}

func (n *Session) closeFiller() (*Closed, error) {
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	f := n.filler
	n.filler = nil
	d, t, err := n.s.Core.CloseFiller(f)
	return &Closed{d, t}, err
}

// closeUnit closes the data unit, with the core locked.
func (n *Session) closeUnit() (Message, error) {
	a := new(CloseAnswer)
	if n.unit == nil {
		return a, nil
	}
	u := n.unit
	n.unit = nil
	end, d, t, ok, err := n.s.Core.CloseData(u)
	if err != nil || !ok {
		return a, err
	}
	a.End, a.Closed = end, &Closed{d, t}
	return a, nil
}

// write has something written to the data unit; if it is full, to the next one.
func (n *Session) write(a *RecordAnswer, put func(*DataUnit) (Emitted, error)) error {
	for {
		if n.unit == nil {
			if err := n.openUnit(); err != nil {
				return err
			}
		}
		e, err := put(n.unit)
		if err == nil {
			a.Record, a.Unit = e, n.unit.ID()
			return nil
		}
		if !errors.Is(err, ErrFull) || a.Closed != nil {
			return err
		}
		n.s.Lock.Lock()
		m, err := n.closeUnit()
		n.s.Lock.Unlock()
		if err != nil {
			return err
		}
		c := m.(*CloseAnswer)
		a.End, a.Closed = c.End, c.Closed
	}
}

func (n *Session) openUnit() (err error) {
	n.s.Lock.Lock() // for the source of randomness
	defer n.s.Lock.Unlock()
	n.unit, err = n.s.Core.OpenData(n.size)
	return err
}

// put seals blocks, and writes the answer in place: what is emitted is valid only until
// the next block.
func (n *Session) put(dst []byte, r *PutRequest) ([]byte, error) {
	f := n.files[r.File]
	if f == nil {
		return nil, fmt.Errorf("file %x: %w", r.File, ErrUnknown)
	}
	cids, blocks, size := make([]dag.CID, len(r.Blocks)), make([][]byte, len(r.Blocks)), 0
	for i, b := range r.Blocks {
		cids[i], blocks[i] = b.CID, b.Block
		size += len(b.Block)
	}
	if size > MaxOfferedBytes {
		return nil, fmt.Errorf("trusted: %d bytes of blocks in one request, at most %d", size, MaxOfferedBytes)
	}
	matches := dag.Matches(cids, blocks)
	k := coder{dst: append(dst, 0, 0)} // a result; the number of records, once it is known
	count := len(k.dst) - 1
	sealed := 0
	var refused *RemoteError
	for ; sealed < len(r.Blocks); sealed++ {
		a, err := n.putBlock(f, &r.Blocks[sealed], matches[sealed])
		if err != nil {
			refused = remote(err)
			break
		}
		a.fields(&k)
	}
	k.dst[count] = byte(sealed) << 2 // a compact number below 64
	k.refusal(&refused)
	return k.dst, nil
}

// putBlock seals a block. It is checked first: the end of a unit that is closed for it
// must not be lost with the answer to a wrong one.
func (n *Session) putBlock(f *File, b *Offered, matches bool) (*RecordAnswer, error) {
	a := new(RecordAnswer)
	var err error
	if a.Wanted, err = f.accept(b.CID, b.Block, matches, uint64(n.size)*proof.LeafSize); err != nil {
		return nil, err
	}
	if err := n.count(f); err != nil {
		return nil, err
	}
	return a, n.write(a, func(u *DataUnit) (Emitted, error) { return f.write(u, b.CID, b.Block) })
}

func (n *Session) count(f *File) error {
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	return n.s.Core.Count(f)
}

// moveRecord moves a record, and ends the move with the last one.
func (n *Session) moveRecord(r *MoveRequest) (Message, error) {
	if n.move == nil || n.move.entry.ID != r.File || n.move.from != r.From {
		if err := n.beginMove(r); err != nil {
			return nil, err
		}
	}
	m := n.move
	rec, block, err := m.accept(r.Record)
	if err != nil {
		return nil, err
	}
	a := new(RecordAnswer)
	if err := n.write(a, func(u *DataUnit) (Emitted, error) { return m.write(u, rec, block) }); err != nil {
		return nil, err
	}
	if m.left > 0 {
		return a, nil
	}
	n.move = nil
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	if entry, ticket, err := n.s.Core.EndMove(m); err == nil {
		a.Moved = &EndAnswer{entry, ticket}
	}
	return a, nil // what was written counts, whatever became of the file meanwhile
}

func (n *Session) beginMove(r *MoveRequest) (err error) {
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	n.move, err = n.s.Core.BeginMove(r.File, r.From)
	return err
}

// check looks at leaves beside other sessions, and notes which are right.
func (n *Session) check(r *CheckRequest) (Message, error) {
	n.s.Lock.Lock()
	ch := n.s.Core.challenge
	n.s.Lock.Unlock()
	if ch == nil {
		return nil, ErrNoChallenge
	}
	a := new(CheckAnswer)
	var proven []int
	for i := range r.Shown {
		at := int(r.From) + i
		if ch.Proves(&n.scratch, at, r.Shown[i].Leaf, r.Shown[i].Path) {
			proven = append(proven, at)
		} else {
			a.Wrong = append(a.Wrong, uint32(i))
		}
	}
	n.s.Lock.Lock()
	defer n.s.Lock.Unlock()
	return a, n.s.Core.Mark(ch, proven)
}
