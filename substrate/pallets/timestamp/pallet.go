package timestamp

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Inherent is the key of the author's time in inherent data: a u64 of
// milliseconds since the Unix epoch.
var Inherent = [8]byte{'t', 'i', 'm', 's', 't', 'a', 'p', '0'}

// MaxDrift is how far a block's time may be ahead of a node's clock, in milliseconds.
const MaxDrift types.Moment = 30_000

// Pallet is the timestamp pallet.
type Pallet struct {
	frame.Base

	MinimumPeriod frame.Const[types.Moment] // least time between two blocks, in milliseconds

	Now       frame.Value[types.Moment] // time of the current block, in milliseconds since 1970
	DidUpdate frame.Value[bool]         // whether the current block has its time yet

	// OnSet are told the time of each block, in this order.
	OnSet []OnTimestampSet `frame:"-"`
}

// OnTimestampSet is told the time of each block.
type OnTimestampSet interface {
	// OnTimestampSet returns an error if the block cannot have this time; the
	// block is invalid then.
	OnTimestampSet(e *frame.Env, now types.Moment) error
}

// SetArgs are the arguments of set.
type SetArgs struct {
	Now types.Moment `scale:"compact"`
}

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{Calls: []frame.Call{frame.NewCall("set", p.set, weights.set).Class(frame.Mandatory)}}
}

// Reasons to refuse a block's time. They never reach clients: a block with such
// a time is not a block.
var (
	// ErrTwice says that the block sets its time twice.
	ErrTwice = errors.New("timestamp: the block sets its time twice")
	// ErrTooEarly says that the time is not MinimumPeriod after the parent's.
	ErrTooEarly = errors.New("timestamp: the time is too soon after the parent's")
	// ErrTooFarAhead says that the time is more than MaxDrift ahead of the clock.
	ErrTooFarAhead = errors.New("timestamp: the time is too far in the future")
)

// set sets the time of the block.
func (p *Pallet) set(e *frame.Env, o frame.Origin, a SetArgs) error {
	if err := o.EnsureNone(); err != nil {
		return err
	}
	if p.DidUpdate.Get(e) {
		return ErrTwice
	}
	if a.Now < p.earliest(e) {
		return ErrTooEarly
	}
	p.Now.Put(e, a.Now)
	p.DidUpdate.Put(e, true)
	for _, h := range p.OnSet {
		if err := h.OnTimestampSet(e, a.Now); err != nil {
			return err
		}
	}
	return nil
}

// earliest is the least time that the block may have; the first may have any.
func (p *Pallet) earliest(e *frame.Env) types.Moment {
	now := p.Now.Get(e)
	if now == 0 {
		return 0
	}
	if next := now + p.MinimumPeriod.Get(); next >= now {
		return next
	}
	return ^types.Moment(0)
}

// Get is the time of the block: that of the parent until this block's is set.
func (p *Pallet) Get(e *frame.Env) types.Moment { return p.Now.Get(e) }

// OnFinalize forgets that the block has its time; the executive has made sure
// that it has.
func (p *Pallet) OnFinalize(e *frame.Env) { p.DidUpdate.Kill(e) }

// CreateInherent makes set from the author's clock, or the earliest time that is
// allowed if the clock is behind.
func (p *Pallet) CreateInherent(e *frame.Env, data frame.InherentData) (args any, call string, err error) {
	now, err := clock(data)
	if err != nil {
		return nil, "", err
	}
	return &SetArgs{max(now, p.earliest(e))}, "set", nil
}

// IsInherent reports whether the call is set.
func (p *Pallet) IsInherent(call frame.RuntimeCall) bool { return call.Is(p.Index(), 0) }

// CheckInherent refuses a time ahead of this node's clock, or too close to the
// block before.
func (p *Pallet) CheckInherent(e *frame.Env, call frame.RuntimeCall, data frame.InherentData) error {
	local, err := clock(data)
	if err != nil {
		return err
	}
	now := call.Args().(*SetArgs).Now
	if now > local && now-local > MaxDrift {
		return fmt.Errorf("%w: %d ms", ErrTooFarAhead, now-local)
	}
	if earliest := p.earliest(e); now < earliest {
		return fmt.Errorf("%w: %d is before %d", ErrTooEarly, now, earliest)
	}
	return nil
}

// clock reads the node's time.
func clock(data frame.InherentData) (types.Moment, error) {
	raw, ok := data[Inherent]
	if !ok {
		return 0, fmt.Errorf("the inherent data has no %q", Inherent)
	}
	c := scale.NewCursor(raw)
	now := types.Moment(c.U64())
	if err := c.Finish(); err != nil {
		return 0, fmt.Errorf("inherent data %q: %w", Inherent, err)
	}
	return now, nil
}

// Check verifies that no block is half done.
func (p *Pallet) Check(e *frame.Env) error {
	if p.DidUpdate.Exists(e) {
		return errors.New("the mark that the block has its time outlived the block")
	}
	return nil
}
