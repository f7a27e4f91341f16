package swork

import (
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Arguments of the calls about groups.
type (
	// TargetArgs are the arguments of add_member_into_allowlist, remove_member_from_allowlist,
	// join_group and kick_out.
	TargetArgs struct{ Target types.AccountID }
)

// createGroup makes the signer the owner of a group.
func (p *Pallet) createGroup(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	who, err := o.Signed()
	switch {
	case err != nil:
		return err
	case p.Records.Exists(e, who) || p.joined(e, who):
		return p.Fail(ErrGroupOwnerForbidden)
	case p.Groups.Exists(e, who):
		return p.Fail(ErrGroupAlreadyExist)
	}
	p.Groups.Put(e, who, Group{Since: e.Number()})
	p.Emit(e, CreateGroupSuccess{who})
	return nil
}

// addMemberIntoAllowlist lets an account join the signer's group.
func (p *Pallet) addMemberIntoAllowlist(e *frame.Env, o frame.Origin, a TargetArgs) error {
	owner, g, err := p.ownGroup(e, o)
	switch {
	case err != nil:
		return err
	case p.joined(e, a.Target):
		return p.Fail(ErrAlreadyJoint)
	case len(g.Allowlist) >= int(p.MaxGroupSize.Get()):
		return p.Fail(ErrExceedAllowlistLimit)
	}
	g.Allowlist = with(g.Allowlist, a.Target)
	p.Groups.Put(e, owner, g)
	p.Emit(e, AddIntoAllowlistSuccess{owner, a.Target})
	return nil
}

// removeMemberFromAllowlist takes that back; an account that was not allowed is no
// error.
func (p *Pallet) removeMemberFromAllowlist(e *frame.Env, o frame.Origin, a TargetArgs) error {
	owner, g, err := p.ownGroup(e, o)
	if err != nil {
		return err
	}
	g.Allowlist = without(g.Allowlist, a.Target)
	p.Groups.Put(e, owner, g)
	p.Emit(e, RemoveFromAllowlistSuccess{owner, a.Target})
	return nil
}

// joinGroup makes the signer's worker count for an owner from the next slot on.
func (p *Pallet) joinGroup(e *frame.Env, o frame.Origin, a TargetArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	g, exists := p.Groups.Lookup(e, a.Target)
	_, allowed := slices.BinarySearchFunc(g.Allowlist, who, compare)
	switch {
	case !p.Records.Exists(e, who):
		return p.Fail(ErrIdentityNotExist)
	case p.joined(e, who):
		return p.Fail(ErrAlreadyJoint)
	case !exists:
		return p.Fail(ErrNotOwner)
	case len(g.Members) >= int(p.MaxGroupSize.Get()):
		return p.Fail(ErrExceedGroupLimit)
	case !allowed:
		return p.Fail(ErrNotInAllowlist)
	}
	g.Members, g.Allowlist = with(g.Members, who), without(g.Allowlist, who)
	p.Groups.Put(e, a.Target, g)
	p.move(e, who, some(a.Target))
	p.Emit(e, JoinGroupSuccess{who, a.Target})
	return nil
}

// quitGroup makes the signer's worker count for itself from the next slot on.
func (p *Pallet) quitGroup(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	owner, in := p.Members.Get(e, who).Owner.Get()
	switch {
	case !in && !p.Records.Exists(e, who):
		return p.Fail(ErrIdentityNotExist)
	case !in:
		return p.Fail(ErrNotJoint)
	}
	p.leave(e, who, owner)
	p.Emit(e, QuitGroupSuccess{who, owner})
	return nil
}

// kickOut does the same to a member of the signer's group.
func (p *Pallet) kickOut(e *frame.Env, o frame.Origin, a TargetArgs) error {
	owner, _, err := p.ownGroup(e, o)
	if err != nil {
		return err
	}
	if of, in := p.Members.Get(e, a.Target).Owner.Get(); !in || of != owner {
		return p.Fail(ErrNotJoint)
	}
	p.leave(e, a.Target, owner)
	p.Emit(e, KickOutSuccess{a.Target})
	return nil
}

func (p *Pallet) leave(e *frame.Env, who, owner types.AccountID) {
	g := p.Groups.Get(e, owner)
	g.Members = without(g.Members, who)
	p.Groups.Put(e, owner, g)
	p.move(e, who, scale.Option[types.AccountID]{})
}

// move changes for whom an account's worker counts, from the next slot on. Its
// replicas stay with the owner under whom they were reported, and so go.
func (p *Pallet) move(e *frame.Env, who types.AccountID, to scale.Option[types.AccountID]) {
	m := p.Members.Get(e, who)
	now, _ := p.slotOf(e.Number())
	if m.Since <= now {
		m.Before = m.Owner
	}
	m.Owner, m.Since = to, now+uint32(p.ReportSlot.Get())
	p.Members.Put(e, who, m)
	if r, ok := p.Records.Lookup(e, who); ok {
		p.Market.RemoveWorker(e, r.Lineage)
	}
}

// ownGroup is the signer's group.
func (p *Pallet) ownGroup(e *frame.Env, o frame.Origin) (owner types.AccountID, g Group, err error) {
	if owner, err = o.Signed(); err != nil {
		return owner, g, err
	}
	g, ok := p.Groups.Lookup(e, owner)
	if !ok {
		return owner, g, p.Fail(ErrNotOwner)
	}
	return owner, g, nil
}

func (p *Pallet) joined(e *frame.Env, who types.AccountID) bool {
	_, in := p.Members.Get(e, who).Owner.Get()
	return in
}

// ownerOf is for whom an account's worker will count once changes are in force: in
// whose name its files are reported.
func (p *Pallet) ownerOf(e *frame.Env, who types.AccountID) types.AccountID {
	if owner, in := p.Members.Get(e, who).Owner.Get(); in {
		return owner
	}
	return who
}

// ownerAt is for whom it counted, or counts, in a slot.
func (p *Pallet) ownerAt(e *frame.Env, who types.AccountID, slot uint32) types.AccountID {
	m := p.Members.Get(e, who)
	o := m.Owner
	if slot < m.Since {
		o = m.Before
	}
	if owner, in := o.Get(); in {
		return owner
	}
	return who
}

func compare(a, b types.AccountID) int { return slices.Compare(a[:], b[:]) }

// with is a copy of a list in order with one more account.
func with(list []types.AccountID, who types.AccountID) []types.AccountID {
	i, there := slices.BinarySearchFunc(list, who, compare)
	if there {
		return list
	}
	out := make([]types.AccountID, 0, len(list)+1)
	return append(append(append(out, list[:i]...), who), list[i:]...)
}

// without is a copy of a list in order without an account.
func without(list []types.AccountID, who types.AccountID) []types.AccountID {
	i, there := slices.BinarySearchFunc(list, who, compare)
	if !there {
		return list
	}
	out := make([]types.AccountID, 0, len(list)-1)
	return append(append(out, list[:i]...), list[i+1:]...)
}
