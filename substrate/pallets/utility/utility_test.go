package utility_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/pallets/utility"
	"github.com/crustgo/crust/substrate/types"
)

var alice = types.AccountID{1}

func newChain(t *testing.T) (*frametest.Chain, *utility.Pallet) {
	p := &utility.Pallet{BatchedCallsLimit: frame.ConstOf(uint32(5))}
	return frametest.New(t, frametest.Module(23, "Utility", p)).Genesis(nil), p
}

func TestConformance(t *testing.T) {
	c, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestBatches(t *testing.T) {
	c, _ := newChain(t)
	call := func(name string, args any) frame.RuntimeCall {
		r, err := c.Runtime.NewRuntimeCall("System", name, args)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	good := call("remark_with_event", &system.RemarkArgs{Remark: []byte("x")})
	bad := call("set_storage", &system.SetStorageArgs{}) // needs Root
	for _, row := range []struct {
		name  string
		calls []frame.RuntimeCall
		err   error
		want  string
	}{
		{"batch", []frame.RuntimeCall{good, good}, nil, "Remarked ItemCompleted Remarked ItemCompleted BatchCompleted"},
		{"batch", []frame.RuntimeCall{good, bad, good}, nil, "Remarked ItemCompleted BatchInterrupted"},
		{"batch", nil, nil, "BatchCompleted"},
		{"batch_all", []frame.RuntimeCall{good, good}, nil, "Remarked ItemCompleted Remarked ItemCompleted BatchCompleted"},
		{"batch_all", []frame.RuntimeCall{good, bad, good}, frame.ErrBadOrigin, ""},
		{"force_batch", []frame.RuntimeCall{good, bad, good}, nil, "Remarked ItemCompleted ItemFailed Remarked ItemCompleted BatchCompletedWithErrors"},
		{"batch", []frame.RuntimeCall{good, good, good, good, good, good}, utility.ErrTooManyCalls, ""},
	} {
		c.Block(func(e *frame.Env) {
			err := c.Call(e, frame.Signed(alice), "Utility", row.name, &utility.BatchArgs{Calls: row.calls})
			if !errors.Is(err, row.err) {
				t.Errorf("%s of %d: %v", row.name, len(row.calls), err)
			}
			var names []string
			for _, ev := range c.Events(e) {
				names = append(names, strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", ev), "*utility."), "*system."))
			}
			if got := strings.Join(names, " "); got != row.want {
				t.Errorf("%s of %d emits %s", row.name, len(row.calls), got)
			}
		})
	}
}

func TestBatchInfo(t *testing.T) {
	c, _ := newChain(t)
	op, _ := c.Runtime.NewRuntimeCall("System", "kill_storage", &system.KillStorageArgs{})
	normal, _ := c.Runtime.NewRuntimeCall("System", "remark", &system.RemarkArgs{})
	for _, row := range []struct {
		calls []frame.RuntimeCall
		want  frame.Class
	}{{nil, frame.Normal}, {[]frame.RuntimeCall{op}, frame.Operational}, {[]frame.RuntimeCall{op, normal}, frame.Normal}} {
		b, err := c.Runtime.NewRuntimeCall("Utility", "batch", &utility.BatchArgs{Calls: row.calls})
		if err != nil || b.Info().Class != row.want {
			t.Errorf("%d calls: class %v, %v", len(row.calls), b.Info().Class, err)
		}
		least := types.Weight{}
		for _, r := range row.calls {
			least = least.Add(r.Info().Weight)
		}
		if !least.Fits(b.Info().Weight) {
			t.Errorf("%d calls weigh less together than alone", len(row.calls))
		}
	}
}

// The derived account acts, and only for the sender it belongs to.
func TestDerivative(t *testing.T) {
	c, _ := newChain(t)
	var who types.AccountID
	if _, err := hex.Decode(who[:], []byte("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")); err != nil {
		t.Fatal(err)
	}
	sub := utility.Derivative(who, 0)
	if sub == utility.Derivative(who, 1) || sub == utility.Derivative(alice, 0) {
		t.Error("derived accounts collide")
	}
	inner, _ := c.Runtime.NewRuntimeCall("System", "remark_with_event", &system.RemarkArgs{})
	c.Block(func(e *frame.Env) {
		if err := c.Call(e, frame.Signed(who), "Utility", "as_derivative", &utility.AsDerivativeArgs{Call: inner}); err != nil {
			t.Fatal(err)
		}
		if ev, ok := c.Events(e)[0].(*system.Remarked); !ok || ev.Sender != sub {
			t.Errorf("%+v", c.Events(e)[0])
		}
	})
}
