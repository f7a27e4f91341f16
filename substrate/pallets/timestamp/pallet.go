package timestamp

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the timestamp pallet.
type Pallet struct {
	frame.Base

	MinimumPeriod frame.Const[types.Moment] // least time between two blocks, in milliseconds

	Now       frame.Value[types.Moment] // time of the current block, in milliseconds since the Unix epoch
	DidUpdate frame.Value[bool]         // whether the current block has set its time

	// OnSet are told of each block's time; any of them may refuse it.
	OnSet []OnTimestampSet `frame:"-"`
}

// OnTimestampSet is told of each block's time.
type OnTimestampSet interface {
	OnTimestampSet(e *frame.Env, now types.Moment) error
}

// Inherent is the identifier of the time among inherent data: a u64 of milliseconds.
var Inherent = [8]byte{'t', 'i', 'm', 's', 't', 'a', 'p', '0'}

// MaxDrift is how far a block's time may be ahead of a node's clock, in milliseconds.
const MaxDrift types.Moment = 30_000

// Reasons to refuse a block's time.
var (
	// ErrTwice says that the block sets its time twice.
	ErrTwice = errors.New("timestamp: the block sets its time twice")
	// ErrTooEarly says that the time is not MinimumPeriod after the parent's.
	ErrTooEarly = errors.New("timestamp: the time is too soon after the parent's")
	// ErrTooFarAhead says that the time is more than MaxDrift ahead of the clock.
	ErrTooFarAhead = errors.New("timestamp: the time is too far in the future")
)

// SetArgs are the arguments of set.
type SetArgs struct {
	Now types.Moment `scale:"compact"` // milliseconds since the Unix epoch
}

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{Calls: []frame.Call{frame.NewCall("set", p.set, weights.set).Class(frame.Mandatory)}}
}

// set sets the time of the block; only its author does, as an inherent.
func (p *Pallet) set(e *frame.Env, o frame.Origin, a SetArgs) error {
	if err := o.EnsureNone(); err != nil {
		return err
	}
	if p.DidUpdate.Get(e) {
		return ErrTwice
	}
	if prev := p.Now.Get(e); prev != 0 && a.Now < prev+p.MinimumPeriod.Get() {
		return fmt.Errorf("%w: %d after %d", ErrTooEarly, a.Now, prev)
	}
	for _, h := range p.OnSet {
		if err := h.OnTimestampSet(e, a.Now); err != nil {
			return err
		}
	}
	p.Now.Put(e, a.Now)
	p.DidUpdate.Put(e, true)
	return nil
}

// OnFinalize demands that the block has set its time, which the executive has
// made sure of, and forgets that it has.
func (p *Pallet) OnFinalize(e *frame.Env) { p.DidUpdate.Kill(e) }

// CreateInherent sets the author's time, or the earliest that is allowed.
func (p *Pallet) CreateInherent(e *frame.Env, data frame.InherentData) (any, string, error) {
	now, err := read(data)
	if err != nil {
		return nil, "", err
	}
	return &SetArgs{max(now, p.earliest(e))}, "set", nil
}

// earliest is the earliest time that the next block may have.
func (p *Pallet) earliest(e *frame.Env) types.Moment {
	if prev := p.Now.Get(e); prev != 0 {
		return prev + p.MinimumPeriod.Get()
	}
	return 0
}

func read(data frame.InherentData) (types.Moment, error) {
	b := data[Inherent]
	if len(b) != 8 {
		return 0, errors.New("timestamp: the inherent data have no time")
	}
	return types.Moment(binary.LittleEndian.Uint64(b)), nil
}

// IsInherent reports whether the call sets a block's time.
func (p *Pallet) IsInherent(call frame.RuntimeCall) bool { return call.Is(p.Index(), 0) }

// CheckInherent judges a foreign block's time by this node's clock.
func (p *Pallet) CheckInherent(_ *frame.Env, call frame.RuntimeCall, data frame.InherentData) error {
	now, err := read(data)
	if err != nil {
		return err
	}
	if t := call.Args().(*SetArgs).Now; t > now+MaxDrift {
		return fmt.Errorf("%w: %d ms", ErrTooFarAhead, t-now)
	}
	return nil
}
