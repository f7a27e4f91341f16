package trusted

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// Limits of what is open at a time.
const (
	// MaxOpenFiles is how many files may be on their way.
	MaxOpenFiles = 256
	// MaxOpenBlocks is how many blocks all of their walks together may know: about
	// 100 bytes each.
	MaxOpenBlocks = 2 * dag.MaxBlocks
)

// Errors that callers tell apart.
var (
	// ErrHeld reports a CID that is held, or on its way.
	ErrHeld = errors.New("trusted: the file is held already")
	// ErrUnknown reports a file or unit that the core does not know.
	ErrUnknown = errors.New("trusted: not known")
	// ErrIncomplete reports a file of which blocks are missing.
	ErrIncomplete = errors.New("trusted: blocks are missing")
	// ErrBusy reports that too much is open.
	ErrBusy = errors.New("trusted: too many files or blocks are on their way")
)

// parts counts records by the unit that they are in.
type parts map[proof.UnitID]uint32

// add counts a record.
func (p parts) add(unit proof.UnitID) error {
	if len(p) >= proof.MaxParts && p[unit] == 0 {
		return fmt.Errorf("%w: more than %d units", dag.ErrLimit, proof.MaxParts)
	}
	p[unit]++
	return nil
}

// list is the parts in order.
func (p parts) list() []proof.Part {
	var list []proof.Part
	for id, n := range p {
		list = append(list, proof.Part{Unit: id, Records: n})
	}
	slices.SortFunc(list, func(a, b proof.Part) int { return slices.Compare(a.Unit[:], b.Unit[:]) })
	return list
}

// File is a file that is being sealed. It belongs to one goroutine, together with
// the unit that it is written to.
type File struct {
	id    proof.FileID
	walk  *dag.Walk
	parts parts
	known int // blocks that the core counted
}

// Begin starts to seal a file whose blocks have at most limit bytes together. The
// walk wants the root.
func (c *Core) Begin(cid dag.CID, limit uint64) (*File, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if _, held := c.held[cid.Key()]; held {
		return nil, fmt.Errorf("%v: %w", cid, ErrHeld)
	}
	if len(c.files) >= MaxOpenFiles {
		return nil, ErrBusy
	}
	walk, err := dag.NewWalk(cid, limit)
	if err != nil {
		return nil, err
	}
	f := &File{walk: walk, parts: parts{}}
	if err := draw(c.env.Rand, f.id[:]); err != nil {
		return nil, err
	}
	c.files[f.id] = f
	c.held[cid.Key()] = f.id
	return f, c.Count(f)
}

// ID names the sealing.
func (f *File) ID() proof.FileID { return f.id }

// Put seals a block that the file's walk wants and returns the links that are wanted
// because of it. ErrFull means that the unit has no room: nothing has changed.
func (f *File) Put(u *DataUnit, cid dag.CID, block []byte) (Emitted, []dag.CID, error) {
	if recordSize(cid, block) <= u.limit && !u.fits(cid, block) {
		return Emitted{}, nil, ErrFull
	}
	links, err := f.accept(cid, block, cid.Matches(block), u.limit)
	if err != nil {
		return Emitted{}, nil, err
	}
	e, err := f.write(u, cid, block)
	return e, links, err
}

// accept has the walk take a block that a unit of some size can hold.
func (f *File) accept(cid dag.CID, block []byte, matches bool, unitSize uint64) ([]dag.CID, error) {
	if recordSize(cid, block) > unitSize {
		return nil, fmt.Errorf("%w: a block of %d bytes", dag.ErrLimit, len(block))
	}
	return f.walk.AcceptMatched(cid, block, matches)
}

// write seals a block that was accepted.
func (f *File) write(u *DataUnit, cid dag.CID, block []byte) (Emitted, error) {
	if !u.fits(cid, block) {
		return Emitted{}, ErrFull
	}
	if err := f.parts.add(u.id); err != nil {
		return Emitted{}, err
	}
	return u.put(f.id, cid, block), nil
}

// Count has the core count the blocks that the walk of a file knows; after
// ErrBusy the file has to be abandoned. It is called after every Put.
func (c *Core) Count(f *File) error {
	if c.files[f.id] != f {
		return fmt.Errorf("file %x: %w", f.id, ErrUnknown)
	}
	n := f.walk.Len()
	c.blocks += n - f.known
	f.known = n
	if c.blocks > MaxOpenBlocks {
		return ErrBusy
	}
	return nil
}

// close forgets that a file is open.
func (c *Core) close(f *File) {
	c.blocks -= f.known
	delete(c.files, f.id)
}

// End takes a file whose walk is done and keeps it until its units are in a plan.
func (c *Core) End(f *File) (proof.File, Ticket, error) {
	if c.files[f.id] != f {
		return proof.File{}, Ticket{}, fmt.Errorf("file %x: %w", f.id, ErrUnknown)
	}
	if !f.walk.Done() {
		return proof.File{}, Ticket{}, fmt.Errorf("file %v: %w", f.walk.Root(), ErrIncomplete)
	}
	entry := proof.File{CID: f.walk.Root().Bytes(), ID: f.id, Size: f.walk.Size(), Parts: f.parts.list()}
	c.close(f)
	c.fresh.files = append(c.fresh.files, entry)
	return entry, c.secret.fileTicket(&entry), nil
}

// Abandon forgets a file that is being sealed; its records are garbage.
func (c *Core) Abandon(f *File) {
	if c.files[f.id] == f {
		c.close(f)
		delete(c.held, f.walk.Root().Key())
	}
}

// Delete gives up a file: one that no plan has at once, another with the next
// report.
func (c *Core) Delete(cid dag.CID) error {
	id, held := c.held[cid.Key()]
	if !held || c.files[id] != nil {
		return fmt.Errorf("%v: %w", cid, ErrUnknown)
	}
	c.fresh.files = slices.DeleteFunc(c.fresh.files, func(f proof.File) bool { return f.ID == id })
	if c.entry(id) == nil && !c.pending.keeps(id) {
		delete(c.held, cid.Key())
		return nil
	}
	c.doomed[id] = true
	return nil
}

// TellAgain has the chain told once more, with a later report, that a file is held: when it
// has forgotten the replica although the file never left. A file that no plan has is
// ErrUnknown: the chain hears of it when one has.
func (c *Core) TellAgain(cid dag.CID) error {
	if err := c.ready(); err != nil {
		return err
	}
	id, held := c.held[cid.Key()]
	if !held || c.entry(id) == nil {
		return fmt.Errorf("%v: %w", cid, ErrUnknown)
	}
	c.again[id] = true
	return nil
}

// entry returns the entry of a file in the index.
func (c *Core) entry(id proof.FileID) *proof.File {
	for _, f := range c.ledger.Files() {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// Move brings the records of one file from one unit to others, so that what is left
// of the unit can go. It belongs to one goroutine, together with the unit that it is
// written to.
type Move struct {
	secret *secret
	entry  proof.File
	from   proof.UnitID
	left   uint32 // records still to come
	seen   map[uint32]bool
	parts  parts
}

// BeginMove starts to bring a file out of a unit.
func (c *Core) BeginMove(file proof.FileID, from proof.UnitID) (*Move, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	entry := c.entry(file)
	for i := range c.fresh.files {
		if c.fresh.files[i].ID == file {
			entry = &c.fresh.files[i]
		}
	}
	if entry == nil || c.doomed[file] || c.pending.keeps(file) {
		return nil, fmt.Errorf("file %x: %w, or not to be moved now", file, ErrUnknown)
	}
	m := &Move{secret: &c.secret, entry: *entry, from: from, seen: map[uint32]bool{}, parts: parts{}}
	for _, p := range entry.Parts {
		if p.Unit == from {
			m.left = p.Records
		} else {
			m.parts[p.Unit] = p.Records
		}
	}
	if m.left == 0 {
		return nil, fmt.Errorf("file %x in unit %x: %w", file, from, ErrUnknown)
	}
	return m, nil
}

// Put seals what a record of the unit holds once more. ErrFull means that the unit
// to write to has no room: nothing has changed.
func (m *Move) Put(u *DataUnit, b []byte) (Emitted, error) {
	r, block, err := m.accept(b)
	if err != nil {
		return Emitted{}, err
	}
	return m.write(u, r, block)
}

// accept opens a record that is still to come.
func (m *Move) accept(b []byte) (Header, []byte, error) {
	r, block, err := m.secret.open(nil, &m.from, b)
	if err == nil && (r.File != m.entry.ID || m.seen[r.Index]) {
		err = fmt.Errorf("%w: record %d is of another file, or was moved", ErrRecord, r.Index)
	}
	return r, block, err
}

// write seals a record that was accepted.
func (m *Move) write(u *DataUnit, r Header, block []byte) (Emitted, error) {
	if !u.fits(r.CID, block) {
		return Emitted{}, ErrFull
	}
	if err := m.parts.add(u.id); err != nil {
		return Emitted{}, err
	}
	m.seen[r.Index] = true
	m.left--
	return u.put(r.File, r.CID, block), nil
}

// EndMove takes a move of which all records came: the file's entry changes with the
// next report that has its units.
func (c *Core) EndMove(m *Move) (proof.File, Ticket, error) {
	if m.left > 0 {
		return proof.File{}, Ticket{}, fmt.Errorf("%d records: %w", m.left, ErrIncomplete)
	}
	id := m.entry.ID
	now := c.entry(id)
	at := slices.IndexFunc(c.fresh.files, func(f proof.File) bool { return f.ID == id })
	if at >= 0 {
		now = &c.fresh.files[at]
	}
	if now == nil || c.doomed[id] || c.pending.keeps(id) || !slices.Equal(now.Parts, m.entry.Parts) {
		return proof.File{}, Ticket{}, fmt.Errorf("file %x: %w, or it changed meanwhile", id, ErrUnknown)
	}
	m.entry.Parts = m.parts.list()
	if at >= 0 {
		c.fresh.files[at] = m.entry
	} else {
		c.fresh.files = append(c.fresh.files, m.entry)
	}
	return m.entry, c.secret.fileTicket(&m.entry), nil
}
