package slots

import (
	"encoding/binary"

	"github.com/crustgo/crust/mpow/proof"
)

// Config is what does not change while a worker runs.
type Config struct {
	Lineage    proof.Lineage
	ReportSlot uint32 // blocks of a slot
	Deadline   uint32 // blocks after a slot's first in which heartbeats are taken
	// AuditWindow is how many blocks after a slot's first plans only change by heartbeats.
	AuditWindow uint32
}

// View is what the chain's best block says of the worker.
type View struct {
	Number     uint32 // of the block
	Registered bool   // the member's worker is this one
	Failed     bool   // it missed an audit, and counts no more
	Reported   uint32 // slot of its last heartbeat; 0 before it
	Record     proof.Record
	Start      uint32 // first block of the current slot; 0 before the first slot
	Hash       proof.Hash
	Beacon     proof.Hash // zeros until it is known
	Audit      uint32     // slot of the audit that waits for an answer; 0 if none does
}

// Own is what the worker knows: of what is final, and of itself.
type Own struct {
	Counter uint64 // of the plan that is final
	Changes uint64 // of files, in the log of that plan
	Lost    bool   // more units are lost than a heartbeat may name
}

// Todo is what to do now. Any of it may fail and is asked for again.
type Todo struct {
	Answer    bool // answer the open audit
	Heartbeat bool // sign a heartbeat for the view's slot and send it
	Again     bool // send the heartbeat that was signed last once more
	Loss      bool // declare the loss, to be accepted until LossUntil
	LossUntil uint32
	Files     bool // sign and send the file report from change FilesFrom on
	FilesFrom uint64
}

// Blocks after which what was sent and is not in the chain is sent again.
const (
	againAfter = 3
	filesAfter = 8 // signed transactions wait for a place
)

// firstOffset is the first block of a slot, counted from its start, at which a
// heartbeat is sent: the beacon is known in block 3, and taken from the next on.
const firstOffset = 4

// named is what a heartbeat names of the chain; another one needs another signature.
type named struct {
	start        uint32
	hash, beacon proof.Hash
	root         proof.Hash
	counter      uint64
}

// sent is when something was sent last.
type sent struct {
	at uint32 // best block then
	is bool
}

// due reports whether it is time to send, for the first time or again.
func (s *sent) due(now, after uint32) bool {
	return !s.is || now >= s.at+after || now < s.at // a re-org went back
}

// Machine is what was done so far. It belongs to one goroutine.
type Machine struct {
	cfg    Config
	signed named
	beat   sent
	audit  uint32 // slot that was answered
	answer sent
	loss   sent
	lossOf uint64 // counter of the plan that a loss was declared of
	files  sent
	from   uint64 // change that the last file report began with
}

// New returns a machine that has done nothing yet.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Offset is the block of a slot, counted from its start, at which this worker sends its
// heartbeat: drawn by its lineage from the first half of the window, so that the rest is
// left for sending again.
func (c *Config) Offset() uint32 {
	span := max(1, (max(c.Deadline, firstOffset)-firstOffset)/2)
	return firstOffset + uint32(binary.LittleEndian.Uint64(c.Lineage[:8])%uint64(span))
}

func (v *View) named() named {
	return named{v.Start, v.Hash, v.Beacon, v.Record.Plan.Root, v.Record.Counter}
}

// Head says what to do in the light of a new best block.
func (m *Machine) Head(v *View, o *Own) (t Todo) {
	if !v.Registered || v.Failed {
		return t
	}
	if v.Audit != 0 {
		t.Answer = m.audit != v.Audit || m.answer.due(v.Number, againAfter)
	}
	m.heartbeat(v, o, &t)
	offset := v.Number - v.Start
	if o.Lost && o.Counter == v.Record.Counter && v.Start != 0 && offset >= m.cfg.AuditWindow && offset+2 < m.cfg.ReportSlot &&
		(m.lossOf != v.Record.Counter+1 || m.loss.due(v.Number, filesAfter)) {
		t.Loss, t.LossUntil = true, v.Start+m.cfg.ReportSlot-1
	}
	if o.Changes > v.Record.Changes && (m.from != v.Record.Changes || m.files.due(v.Number, filesAfter)) {
		t.Files, t.FilesFrom = true, v.Record.Changes
	}
	return t
}

// heartbeat decides about the slot's heartbeat. It may be in block offset+1 at the
// earliest.
func (m *Machine) heartbeat(v *View, o *Own, t *Todo) {
	offset := v.Number - v.Start
	switch {
	case v.Start == 0 || v.Number < v.Start || v.Beacon == proof.Hash{} || v.Reported == v.Start || v.Audit != 0,
		offset < m.cfg.Offset(), offset >= m.cfg.Deadline,
		o.Counter != v.Record.Counter, // the last step has to be final first
		o.Lost:
	case m.signed != v.named():
		t.Heartbeat = true
	case m.beat.due(v.Number, againAfter):
		t.Again = true
	}
}

// Signed notes that a heartbeat was signed for a view and sent.
func (m *Machine) Signed(v *View) { m.signed, m.beat = v.named(), sent{v.Number, true} }

// SentAgain notes that the last heartbeat was sent once more.
func (m *Machine) SentAgain(v *View) { m.beat = sent{v.Number, true} }

// Answered notes that the answer to the view's audit was sent.
func (m *Machine) Answered(v *View) { m.audit, m.answer = v.Audit, sent{v.Number, true} }

// Declared notes that a loss was declared.
func (m *Machine) Declared(v *View) { m.lossOf, m.loss = v.Record.Counter+1, sent{v.Number, true} }

// Told notes that a file report was sent.
func (m *Machine) Told(v *View) { m.from, m.files = v.Record.Changes, sent{v.Number, true} }
