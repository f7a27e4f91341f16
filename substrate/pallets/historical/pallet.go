package historical

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the historical sessions pallet.
type Pallet struct {
	frame.Base

	KeepSessions frame.Const[uint32] // for how many sessions roots are kept

	HistoricalSessions frame.Map[types.SessionIndex, Record]                           `frame:"twox_64_concat,optional"` // root and number of the validators of each session
	StoredRange        frame.Value[scale.Pair[types.SessionIndex, types.SessionIndex]] `frame:"optional"`                // first session that has a root, and the one after the last
	SessionMembers     frame.Map[types.SessionIndex, []session.Entry]                  `frame:"twox_64_concat"`          // validators and keys of the previous, the current and the next session

	Identification Identification // tells what stands behind a validator; nil if nothing does
}

// Record is what is kept of a session: its root and the number of its validators.
type Record = scale.Pair[types.Hash, uint32]

// Identification is what the pallet needs of staking.
type Identification interface {
	// FullIdentification encodes what stands behind a validator in a session. For
	// the previous, the current and the next session it always answers the same.
	FullIdentification(e *frame.Env, index types.SessionIndex, validator types.AccountID) []byte
}

// MembershipProof shows to whom a session key belonged: sp_session::MembershipProof.
type MembershipProof struct {
	Session        types.SessionIndex
	TrieNodes      [][]byte
	ValidatorCount uint32
}

// SCALEPath names the type for clients.
func (MembershipProof) SCALEPath() string { return "sp_session::MembershipProof" }

// Size is the number of bytes of the proof's nodes.
func (m *MembershipProof) Size() int {
	n := 0
	for _, node := range m.TrieNodes {
		n += len(node)
	}
	return n
}

// Reasons why there is no proof, or why one does not hold.
var (
	// ErrUnknownSession reports a session whose root, or members, are not kept.
	ErrUnknownSession = errors.New("historical: the session is not remembered")
	// ErrCount reports a proof that names another number of validators than the session had.
	ErrCount = errors.New("historical: the session had another number of validators")
	// ErrChanged reports that the identification of a member is not what it was when the session was queued.
	ErrChanged = errors.New("historical: the members are not what the root commits to")
)

// Spec lists the wire surface: there is none but the storage.
func (p *Pallet) Spec() frame.Spec { return frame.Spec{} }

// OnGenesisSession records sessions 0 and 1.
func (p *Pallet) OnGenesisSession(e *frame.Env, validators []session.Entry) {
	p.record(e, 0, validators)
	p.record(e, 1, validators)
}

// OnNewSession records the session after the one that begins, whose keys are fixed now.
func (p *Pallet) OnNewSession(e *frame.Env, index types.SessionIndex, _ bool, _, queued []session.Entry) {
	p.record(e, index+1, queued)
	if index >= 2 {
		p.SessionMembers.Kill(e, index-2)
	}
	if keep := types.SessionIndex(p.KeepSessions.Get()); index > keep {
		p.PruneUpTo(e, index-keep)
	}
}

// OnBeforeSessionEnding does nothing.
func (p *Pallet) OnBeforeSessionEnding(*frame.Env) {}

// OnDisabled does nothing.
func (p *Pallet) OnDisabled(*frame.Env, uint32) {}

func (p *Pallet) record(e *frame.Env, index types.SessionIndex, entries []session.Entry) {
	tree, err := NewTree(p.members(e, index, entries))
	if err != nil {
		panic(fmt.Sprintf("%v in session %d", err, index)) // the session pallet lets nobody file another's key
	}
	p.HistoricalSessions.Put(e, index, Record{A: tree.Root(), B: uint32(len(entries))})
	p.SessionMembers.Put(e, index, entries)
	r, ok := p.StoredRange.Lookup(e)
	if !ok {
		r.A = index
	}
	r.B = index + 1
	p.StoredRange.Put(e, r)
}

func (p *Pallet) members(e *frame.Env, index types.SessionIndex, entries []session.Entry) []Member {
	out := make([]Member, len(entries))
	for i, entry := range entries {
		out[i] = Member{entry, p.Identify(e, index, entry.Validator).Identification}
	}
	return out
}

// Identify is a validator with what stands behind it in the previous, the current
// or the next session.
func (p *Pallet) Identify(e *frame.Env, index types.SessionIndex, validator types.AccountID) Identity {
	who := Identity{Validator: validator}
	if p.Identification != nil {
		who.Identification = p.Identification.FullIdentification(e, index, validator)
	}
	return who
}

// PruneUpTo forgets the roots of all sessions before one.
func (p *Pallet) PruneUpTo(e *frame.Env, first types.SessionIndex) {
	r, ok := p.StoredRange.Lookup(e)
	if !ok || first <= r.A {
		return
	}
	for i := r.A; i < min(first, r.B); i++ {
		p.HistoricalSessions.Kill(e, i)
	}
	if r.A = first; r.A >= r.B {
		p.StoredRange.Kill(e)
		return
	}
	p.StoredRange.Put(e, r)
}

// Prove makes the proof that a key belonged to a validator in the previous, the
// current or the next session.
func (p *Pallet) Prove(e *frame.Env, key session.OwnedKey, index types.SessionIndex) (MembershipProof, error) {
	record, ok := p.HistoricalSessions.Lookup(e, index)
	entries, kept := p.SessionMembers.Lookup(e, index)
	if !ok || !kept {
		return MembershipProof{}, fmt.Errorf("%w: %d", ErrUnknownSession, index)
	}
	tree, err := NewTree(p.members(e, index, entries))
	if err != nil {
		return MembershipProof{}, err
	}
	if tree.Root() != record.A {
		return MembershipProof{}, fmt.Errorf("%w: session %d", ErrChanged, index)
	}
	nodes, err := tree.Prove(key)
	return MembershipProof{index, nodes, record.B}, err
}

// ProveEncoded is Prove, encoded; ok is false if there is no proof.
func (p *Pallet) ProveEncoded(e *frame.Env, key session.OwnedKey, index types.SessionIndex) (proof []byte, ok bool) {
	made, err := p.Prove(e, key, index)
	if err != nil {
		return nil, false
	}
	codec := scale.CodecOf[MembershipProof]()
	return codec.Append(nil, &made), true
}

// Verify returns to whom a key belonged in a proof's session. The proof may be hostile.
func (p *Pallet) Verify(e *frame.Env, key session.OwnedKey, proof *MembershipProof) (Identity, error) {
	record, ok := p.HistoricalSessions.Lookup(e, proof.Session)
	switch {
	case !ok:
		return Identity{}, fmt.Errorf("%w: %d", ErrUnknownSession, proof.Session)
	case record.B != proof.ValidatorCount:
		return Identity{}, fmt.Errorf("%w: %d, not %d", ErrCount, record.B, proof.ValidatorCount)
	}
	return Open(record.A, proof.TrieNodes, key)
}

// Check verifies that exactly the sessions of the stored range have roots, and
// that what is kept of the sessions agrees.
func (p *Pallet) Check(e *frame.Env) error {
	r := p.StoredRange.Get(e)
	n := types.SessionIndex(0)
	for i, record := range p.HistoricalSessions.All(e) {
		if n++; i < r.A || i >= r.B {
			return fmt.Errorf("historical: session %d has a root, those from %d to %d should", i, r.A, r.B)
		}
		if entries, ok := p.SessionMembers.Lookup(e, i); ok && len(entries) != int(record.B) {
			return fmt.Errorf("historical: session %d has %d members and a root of %d", i, len(entries), record.B)
		}
	}
	if n != r.B-r.A {
		return fmt.Errorf("historical: %d sessions have roots, those from %d to %d should", n, r.A, r.B)
	}
	return nil
}
