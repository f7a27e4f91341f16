package timestamp_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/types"
)

type hook struct{ refuse error }

func (h *hook) OnTimestampSet(*frame.Env, types.Moment) error { return h.refuse }

func newChain(t *testing.T) (*frametest.Chain, *timestamp.Pallet, *hook) {
	h := &hook{}
	p := &timestamp.Pallet{MinimumPeriod: frame.ConstOf(types.Moment(500)), OnSet: []timestamp.OnTimestampSet{h}}
	return frametest.New(t, frametest.Module(3, "Timestamp", p)).Genesis(nil), p, h
}

func TestConformance(t *testing.T) {
	c, _, _ := newChain(t)
	frametest.Conformance(t, c)
}

func clock(ms uint64) frame.InherentData {
	return frame.InherentData{timestamp.Inherent: binary.LittleEndian.AppendUint64(nil, ms)}
}

func TestTimesRise(t *testing.T) {
	c, p, h := newChain(t)
	set := func(e *frame.Env, o frame.Origin, now types.Moment) error {
		return c.Call(e, o, "Timestamp", "set", &timestamp.SetArgs{Now: now})
	}
	c.Block(func(e *frame.Env) {
		if err := set(e, frame.Signed(types.AccountID{1}), 1000); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("signed: %v", err)
		}
		if err := set(e, frame.None(), 1000); err != nil {
			t.Error(err)
		}
		if err := set(e, frame.None(), 9000); !errors.Is(err, timestamp.ErrTwice) {
			t.Errorf("twice: %v", err)
		}
	})
	c.Block(func(e *frame.Env) {
		if err := set(e, frame.None(), 1499); !errors.Is(err, timestamp.ErrTooEarly) {
			t.Errorf("too early: %v", err)
		}
		h.refuse = errors.New("not in the slot")
		if err := set(e, frame.None(), 2000); err != h.refuse || p.Now.Get(e) != 1000 {
			t.Errorf("refused by a hook: %v, now %d", err, p.Now.Get(e))
		}
		h.refuse = nil
		args, name, err := p.CreateInherent(e, clock(1200))
		if err != nil || name != "set" || args.(*timestamp.SetArgs).Now != 1500 {
			t.Errorf("inherent of a slow clock: %+v %v", args, err)
		}
		if args, _, _ = p.CreateInherent(e, clock(7000)); args.(*timestamp.SetArgs).Now != 7000 {
			t.Errorf("inherent: %+v", args)
		}
		if _, _, err := p.CreateInherent(e, nil); err == nil {
			t.Error("an inherent without a clock")
		}
	})
}

func TestDrift(t *testing.T) {
	c, p, _ := newChain(t)
	call, err := c.Runtime.NewRuntimeCall("Timestamp", "set", &timestamp.SetArgs{Now: 40_000})
	if err != nil || !p.IsInherent(call) {
		t.Fatal(err)
	}
	if err := p.CheckInherent(nil, call, clock(9_999)); !errors.Is(err, timestamp.ErrTooFarAhead) {
		t.Errorf("30.001 s ahead: %v", err)
	}
	if err := p.CheckInherent(nil, call, clock(10_000)); err != nil {
		t.Errorf("30 s ahead: %v", err)
	}
}
