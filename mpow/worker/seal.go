package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// Errors that callers tell apart.
var (
	// ErrHeld reports a file that is held, or on its way.
	ErrHeld = trusted.ErrHeld
	// ErrBusy reports that too many files are on their way.
	ErrBusy = trusted.ErrBusy
	// ErrIncomplete reports a file of which blocks are missing.
	ErrIncomplete = trusted.ErrIncomplete
	// ErrNoSpace reports that there is no room for a file now. Fillers leave for it with
	// the next report, if there are any.
	ErrNoSpace = errors.New("worker: no room; try again after the next report, or add a disk")
	// ErrNotFound reports a block or file that is not held.
	ErrNotFound = index.ErrNotFound
	// ErrInterrupted reports a file whose sealing was cut short by a failure that has nothing to
	// do with it: it can begin again.
	ErrInterrupted = errors.New("worker: sealing was interrupted; begin again")
)

// Block is a block of a file.
type Block struct {
	CID  dag.CID
	Data []byte
}

// lane is a connection with the data unit that is written over it, and the files that
// are sealed into that.
type lane struct {
	w    *Worker
	open int // sealings; guarded by w.mu

	mu       sync.Mutex // guards all below; taken before w.mu
	c        *conn
	u        *disk.Writer
	begun    time.Time // of u
	unit     proof.UnitID
	batch    *index.Batch // lines of the unit's blocks
	lines    int          // in batch
	sealings map[*Sealing]bool
	ended    []*Sealing // complete, and not durable
	moved    []moved    // what moves rewrote, the same
}

// flushLines is after how many lines they are handed to the index.
const flushLines = 4096

// Sealing is a file that is being sealed. All methods may be called at the same time.
type Sealing struct {
	l     *lane
	root  dag.CID
	limit uint64
	file  proof.FileID
	// guarded by l.mu
	units  map[proof.UnitID]bool // that have records of it
	entry  proof.File            // once complete
	ticket [32]byte
	over   bool   // durable, given up, or failed
	err    error  // why it failed
	sealed uint64 // bytes of blocks; guarded by w.mu
}

// Begin begins to seal the file of a root CID whose blocks have at most limit bytes;
// the first wanted block is the root. It fails with ErrHeld, ErrBusy or ErrNoSpace.
func (w *Worker) Begin(ctx context.Context, root dag.CID, limit uint64) (*Sealing, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := w.promise(root, limit)
	if err != nil {
		if errors.Is(err, ErrNoSpace) { // whole files go first
			err = errors.Join(err, w.forgetIf(func(*remnant) bool { return true }))
		}
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var a trusted.BeginAnswer
	if err := l.c.call(&trusted.BeginRequest{CID: root, Limit: limit}, &a); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.promised -= limit
		l.open--
		return nil, err
	}
	s := &Sealing{l: l, root: root, limit: limit, file: a.File, units: map[proof.UnitID]bool{}}
	l.sealings[s] = true
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks[s] = true
	return s, nil
}

// promise sets room aside and chooses the lane with the fewest files.
func (w *Worker) promise(root dag.CID, limit uint64) (*lane, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, held := w.byCID[root.Key()]; held {
		return nil, fmt.Errorf("%v: %w", root, ErrHeld)
	}
	need := limit + limit/16 + disk.FileSize(w.cfg.UnitLeaves) // headers, rows, and what is left of the last unit
	if free := w.free(); need < limit || free < need || free-need < w.promised {
		w.demand, w.waited = max(w.demand, need), 0
		return nil, fmt.Errorf("a file of up to %d bytes: %w", limit, ErrNoSpace)
	}
	best := w.lanes[0]
	for _, l := range w.lanes {
		if l.open < best.open {
			best = l
		}
	}
	w.promised += limit
	w.demand = 0
	best.open++
	return best, nil
}

// Put seals blocks, any of those that are wanted and in any order, and returns the CIDs
// that are wanted because of them. A block that is not wanted, or does not have its
// CID's hash, is an error and changes nothing; a graph that breaks a rule cannot be
// sealed at all, and the file has to be abandoned.
func (s *Sealing) Put(ctx context.Context, blocks []Block) (wanted []dag.CID, err error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for len(blocks) > 0 {
		if err := ctx.Err(); err != nil {
			return wanted, err
		}
		n := together(blocks)
		more, err := s.put(blocks[:n])
		wanted = append(wanted, more...)
		if err != nil {
			return wanted, err
		}
		blocks = blocks[n:]
	}
	if l := s.l; l.u != nil && time.Since(l.begun) > l.w.cfg.Checkpoint {
		if err := l.commit(); err != nil {
			return wanted, l.fail(err)
		}
	}
	return wanted, nil
}

// putBytes is how many bytes of blocks go to the enclave at a time, unless one has more. Hashing
// is fastest for sixteen blocks of one length; these are fifteen of 256 KiB, for which there is room in the
// memory that is shared.
const putBytes = 4<<20 - 64<<10

// together is how many blocks go to the enclave at a time.
func together(blocks []Block) (n int) {
	for size := 0; n < min(len(blocks), trusted.MaxOffered); n++ {
		if size += len(blocks[n].Data); size > putBytes && n > 0 {
			break
		}
	}
	return n
}

func (s *Sealing) put(blocks []Block) (wanted []dag.CID, err error) {
	if s.over {
		return nil, s.why()
	}
	l := s.l
	l.w.closing.RLock()
	defer l.w.closing.RUnlock()
	r := trusted.PutRequest{File: s.file, Blocks: make([]trusted.Offered, len(blocks))}
	for i, b := range blocks {
		r.Blocks[i] = trusted.Offered{CID: b.CID, Block: b.Data}
	}
	var a trusted.PutAnswer
	if err := l.c.call(&r, &a); err != nil {
		if errors.Is(err, ErrEnclave) {
			l.fail(err)
		}
		return nil, err
	}
	if len(a.Put) > len(blocks) || len(a.Put) < len(blocks) && a.Refused == nil {
		return nil, l.fail(fmt.Errorf("worker: the enclave sealed %d of %d blocks", len(a.Put), len(blocks)))
	}
	for i := range a.Put {
		if err := s.write(&blocks[i], &a.Put[i]); err != nil {
			return wanted, l.fail(err)
		}
		wanted = append(wanted, a.Put[i].Wanted...)
	}
	if a.Refused != nil {
		return wanted, a.Refused
	}
	return wanted, nil
}

// write puts what the enclave emitted where it belongs.
func (s *Sealing) write(b *Block, a *trusted.RecordAnswer) error {
	l := s.l
	r := &index.Record{CID: b.CID, Place: index.Place{Size: uint32(len(b.Data)), File: s.file}}
	if err := l.write(a, r); err != nil {
		return err
	}
	l.w.noteSealed(s, a.Unit, !s.units[a.Unit], uint64(len(b.Data)))
	s.units[a.Unit] = true
	l.batch.PutRecord(r)
	if l.lines++; l.lines >= flushLines {
		if err := l.batch.Flush(); err != nil {
			return err
		}
		l.batch, l.lines = l.w.db.Batch(), 0
	}
	return nil
}

// write puts what the enclave emitted where it belongs, and fills in where that is.
func (l *lane) write(a *trusted.RecordAnswer, r *index.Record) error {
	if a.Closed != nil {
		if err := l.finish(&a.End, a.Closed); err != nil {
			return err
		}
	}
	if l.u == nil {
		u, err := l.w.create()
		if err != nil {
			return err
		}
		l.u, l.begun, l.unit, l.batch = u, time.Now(), a.Unit, l.w.db.Batch()
	}
	if a.Unit != l.unit {
		return fmt.Errorf("worker: a record for unit %x, which is not open", a.Unit)
	}
	if err := l.u.Append(a.Record.Offset, a.Record.Bytes, a.Record.Hashes); err != nil {
		return err
	}
	r.Unit, r.Offset, r.Length = l.u.Number(), a.Record.Offset, uint32(len(a.Record.Bytes))
	return nil
}

// finish completes the open unit, and with it the files that ended.
func (l *lane) finish(end *trusted.Emitted, c *trusted.Closed) error {
	if len(end.Bytes) > 0 {
		if err := l.u.Append(end.Offset, end.Bytes, end.Hashes); err != nil {
			return err
		}
	}
	u, b := l.u, l.batch
	l.u, l.batch, l.lines = nil, nil, 0
	l.w.lines.Lock()
	defer l.w.lines.Unlock()
	rows, err := l.putEnded(b)
	if err != nil {
		u.Discard()
		return err
	}
	unfinished := l.putRemnants(b, u.Number(), c.Unit.ID)
	if _, err := l.w.complete(u, proof.Data, c, b); err != nil {
		u.Discard()
		return err
	}
	l.settle(rows)
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	for _, root := range unfinished {
		l.w.addRemnant(root, c.Unit.ID, time.Now())
	}
	return nil
}

// putEnded adds the lines of the files that ended, and of those that were moved, with lines held.
func (l *lane) putEnded(b *index.Batch) (rows []*index.File, err error) {
	for _, s := range l.ended {
		f := &index.File{Entry: s.entry, Ticket: s.ticket}
		b.PutFile(f)
		if err := b.DeleteRemnant(s.root); err != nil {
			return nil, err
		}
		rows = append(rows, f)
	}
	for i := range l.moved {
		m := &l.moved[i]
		l.w.mu.Lock()
		old := l.w.files[m.file.Entry.ID]
		l.w.mu.Unlock()
		if old == nil {
			continue // it left meanwhile
		}
		m.file.Deleted, m.file.Again = old.Deleted, old.Again
		b.PutFile(m.file)
		for k := range m.records {
			b.PutRecord(&m.records[k])
		}
		rows = append(rows, m.file)
	}
	return rows, nil
}

// settle notes that the files that ended are durable.
func (l *lane) settle(rows []*index.File) {
	l.w.mu.Lock()
	for _, f := range rows {
		if old := l.w.files[f.Entry.ID]; old != nil {
			l.w.removeFile(old)
		}
		l.w.addFile(f)
	}
	for _, s := range l.ended {
		l.w.releaseRemnant(s.root)
	}
	l.w.mu.Unlock()
	for _, s := range l.ended {
		l.forget(s, nil)
	}
	l.ended, l.moved = nil, nil
}

// forget is the end of a sealing.
func (l *lane) forget(s *Sealing, err error) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	delete(l.sealings, s)
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	l.open--
	delete(w.tasks, s)
	w.promised -= s.limit
	for id := range s.units {
		w.release(id)
	}
	w.poke()
}

// fail gives up the open unit and all files of the lane, which the enclave forgets
// when the connection closes, and begins a new connection.
func (l *lane) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrInterrupted, cause)
	if l.u != nil {
		l.u.Discard()
	}
	l.u, l.batch, l.lines, l.ended, l.moved = nil, nil, 0, nil, nil
	for s := range l.sealings {
		l.forget(s, err)
	}
	l.c.close()
	if c, e := dialShared(context.Background(), &l.w.cfg); e == nil {
		l.c = c
	}
	return err
}

// why is the reason for which nothing more can be done with a sealing.
func (s *Sealing) why() error {
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("file %v: it is sealed, or was abandoned", s.root)
}

// Commit makes the file durable and returns its measured size; only then is it
// reported. Files that are committed at the same time share the wait for the disk.
func (s *Sealing) Commit(ctx context.Context) (size uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.end(); err != nil {
		return 0, err
	}
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.over {
		if err := l.commit(); err != nil {
			return 0, l.fail(err)
		}
	}
	return s.entry.Size, s.err
}

// end asks the enclave whether the file is complete.
func (s *Sealing) end() error {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.over {
		return s.why()
	}
	var a trusted.EndAnswer
	if err := l.c.call(&trusted.EndRequest{File: s.file}, &a); err != nil {
		return err
	}
	s.entry, s.ticket = a.Entry, a.Ticket
	l.ended = append(l.ended, s)
	return nil
}

// commit closes the open unit, so that all that ended is durable.
func (l *lane) commit() error {
	l.w.closing.RLock()
	defer l.w.closing.RUnlock()
	var a trusted.CloseAnswer
	if err := l.c.call(&trusted.CloseRequest{}, &a); err != nil {
		return err
	}
	if a.Closed != nil {
		return l.finish(&a.End, a.Closed)
	}
	l.w.lines.Lock()
	defer l.w.lines.Unlock()
	b := l.w.db.Batch() // the unit was closed for another file
	rows, err := l.putEnded(b)
	if err := errors.Join(err, b.Commit()); err != nil {
		return err
	}
	l.settle(rows)
	return nil
}

// Abandon gives the file up for now: what complete units have of it stays for a day, so
// that whoever begins it again finds it with Get, or until Forget.
func (s *Sealing) Abandon(context.Context) error {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.over {
		return nil
	}
	err := l.c.call(&trusted.AbandonRequest{File: s.file}, new(trusted.Done))
	l.forget(s, errors.New("worker: the file was abandoned"))
	return err
}

func (l *lane) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.u != nil {
		l.u.Discard()
		l.u = nil
	}
	for s := range l.sealings {
		l.forget(s, ErrInterrupted)
	}
	return l.c.close()
}
