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
	"github.com/crustgo/crust/substrate/ss58"
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

// worker is a pallet whose call uses less than it declares, or fails, or is an
// inherent.
type worker struct{ frame.Base }

type workArgs struct {
	Used            uint32
	Fail, Mandatory bool
}

func (w *worker) Spec() frame.Spec {
	return frame.Spec{Calls: []frame.Call{frame.NewCall("work", w.work, types.Weight{}).Info(func(a *workArgs) frame.DispatchInfo {
		info := frame.DispatchInfo{Weight: types.Weight{RefTime: 1000}}
		if a.Mandatory {
			info.Class = frame.Mandatory
		}
		return info
	})}}
}

func (w *worker) work(e *frame.Env, _ frame.Origin, a workArgs) error {
	e.UseWeight(types.Weight{RefTime: uint64(a.Used)})
	e.WaiveFee()
	if a.Fail {
		return frame.ErrExhausted
	}
	return nil
}

// What the calls of a batch do not use is returned; what they say of fees is not heard.
func TestRefund(t *testing.T) {
	p := &utility.Pallet{BatchedCallsLimit: frame.ConstOf(uint32(50))}
	c := frametest.New(t, frametest.Module(23, "Utility", p), frametest.Module(30, "Worker", &worker{})).Genesis(nil)
	work := func(used uint32, fail bool) frame.RuntimeCall {
		r, err := c.Runtime.NewRuntimeCall("Worker", "work", &workArgs{Used: used, Fail: fail})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	wrap := func(name string, args any) frame.RuntimeCall {
		r, err := c.Runtime.NewRuntimeCall("Utility", name, args)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	calls := func(list ...frame.RuntimeCall) *utility.BatchArgs { return &utility.BatchArgs{Calls: list} }
	for _, row := range []struct {
		name string
		call frame.RuntimeCall
		less uint64 // than declared
		ok   bool
	}{
		{"all", wrap("batch", calls(work(1000, false), work(1000, false))), 0, true},
		{"less", wrap("batch", calls(work(300, false), work(400, false))), 1300, true},
		{"more than declared", wrap("batch", calls(work(5000, false), work(400, false))), 600, true},
		{"interrupted", wrap("batch", calls(work(300, false), work(400, true), work(1000, false))), 700 + 600 + 1000, true},
		{"all or none", wrap("batch_all", calls(work(300, false), work(400, true), work(1000, false))), 700 + 600 + 1000, false},
		{"forced", wrap("force_batch", calls(work(300, false), work(400, true), work(1000, false))), 700 + 600, true},
		{"batch in a batch", wrap("batch", calls(wrap("batch_all", calls(work(300, false))), work(1000, false))), 700, true},
		{"derived", wrap("as_derivative", &utility.AsDerivativeArgs{Call: work(300, false)}), 700, true},
		{"derived and failed", wrap("as_derivative", &utility.AsDerivativeArgs{Call: work(300, true)}), 700, false},
	} {
		e := c.Runtime.Begin(c.State, c.Header())
		used, err := row.call.DispatchMetered(e, frame.Signed(alice))
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
		if declared := row.call.Info().Weight.RefTime; used.RefTime != declared-row.less {
			t.Errorf("%s: used %d of %d, want %d less", row.name, used.RefTime, declared, row.less)
		}
	}
	mandatory, err := c.Runtime.NewRuntimeCall("Worker", "work", &workArgs{Mandatory: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []frame.RuntimeCall{wrap("batch", calls(mandatory)), wrap("as_derivative", &utility.AsDerivativeArgs{Call: mandatory})} {
		if got := x.Info(); got.Class != frame.Normal || got.Pays != frame.PaysYes {
			t.Errorf("%s of an inherent: %+v", x.Name(), got)
		}
	}
	// A call deep inside others is weighed once, not once for each way to it.
	deeper := func(c frame.RuntimeCall) frame.RuntimeCall {
		return wrap("as_derivative", &utility.AsDerivativeArgs{Call: wrap("batch", calls(c))})
	}
	deep := work(1000, false)
	inner := deep.Info().Weight.RefTime
	layer := deeper(deep).Info().Weight.RefTime - inner
	for range 15 {
		deep = deeper(deep)
	}
	if w := deep.Info().Weight.RefTime; layer == 0 || w != inner+15*layer {
		t.Errorf("15 layers of %d around %d weigh %d", layer, inner, w)
	}
}

// A vector of the JavaScript libraries (encodeDerivedAddress).
func TestDerivativeVector(t *testing.T) {
	who, err := ss58.DecodeFor(ss58.GenericPrefix, "5GvUh7fGKsdBEh5XpypkfkGuf7j3vXLxH9BdxjxnJNVXRYi1")
	if err != nil {
		t.Fatal(err)
	}
	if got := ss58.Encode(ss58.GenericPrefix, utility.Derivative(who, 0)); got != "5E5XxqPxm7QbEs6twYfp3tyjXidn4kqRrNPH4o6JK9JSLUeD" {
		t.Error(got)
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
