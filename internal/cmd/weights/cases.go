package main

import (
	"fmt"
	"path/filepath"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/sudo"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/pallets/utility"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// file is one weights_gen.go.
type file struct {
	dir, comment string
	fields       []field
}

// path is where the file is.
func (f *file) path(root string) string {
	under := filepath.Join("substrate", "pallets")
	switch f.dir {
	case "staking", "benefits":
		under = "gpos"
	case "swork", "attest":
		under = "mpow"
	case "market":
		under = "dsm"
	}
	return filepath.Join(root, under, f.dir, "weights_gen.go")
}

// field is one weight. If count is not zero, it grows with a count: setup is
// measured with 0 and with count.
type field struct {
	name  string
	setup func(n int) run
	or    []func(n int) run // what else has the weight: the most of all counts
	// without is what is part of every setup and has a weight elsewhere.
	without func(n int) run
	count   int
	all     int    // the most there may be, where one of count costs most; the unit covers them as well
	times   int    // how often setup does what the base is of; 0 for once
	inner   int    // calls of System.remark inside for each of the count, or 1; their time is not counted
	least   uint64 // of what one of the count weighs, in picoseconds: what is done outside the call, such as decoding and hashing
}

// setups are all of which the most counts.
func (f *field) setups() []func(n int) run { return append([]func(n int) run{f.setup}, f.or...) }

var (
	alice    = account("//Alice")
	nobody   = types.AccountID{7, 7, 7}
	someCoin = fixed.FromUint64(runtime.CRU)
)

func account(uri string) types.AccountID {
	a, err := accountOf(uri)
	if err != nil {
		panic(err) // the URIs are written above
	}
	return a
}

// call measures the dispatch of a call; prepare may change the state before it.
func call(o frame.Origin, pallet, name string, args any, prepare ...func(w *world, e *frame.Env)) func(int) run {
	return func(int) run {
		return dispatch(o, pallet, name, func(*world, int) (any, error) { return args, nil }, 0, prepare...)
	}
}

// callOf is call with arguments that depend on a count.
func callOf(o frame.Origin, pallet, name string, args func(w *world, n int) (any, error)) func(int) run {
	return func(n int) run { return dispatch(o, pallet, name, args, n) }
}

func dispatch(o frame.Origin, pallet, name string, args func(*world, int) (any, error), n int, prepare ...func(w *world, e *frame.Env)) run {
	return func(w *world, h *types.Header) (*frame.Env, *counter, func() error, error) {
		c, err := makeCall(w, pallet, name, args, n)
		if err != nil {
			return nil, nil, nil, err
		}
		e, counts := w.begin(h)
		for _, p := range prepare {
			p(w, e)
		}
		return e, counts, func() error { return w.perform(e, o, c) }, nil
	}
}

// sent is callOf from the bytes of the call on, for those that take long to read.
func sent(o frame.Origin, pallet, name string, args func(w *world, n int) (any, error)) func(int) run {
	return func(n int) run {
		return func(w *world, h *types.Header) (*frame.Env, *counter, func() error, error) {
			made, err := makeCall(w, pallet, name, args, n)
			if err != nil {
				return nil, nil, nil, err
			}
			raw := made.AppendSCALE(nil)
			e, counts := w.begin(h)
			return e, counts, func() error {
				var c frame.RuntimeCall
				from := scale.NewCursor(raw).WithEnv(w.rt.Frame)
				if c.DecodeSCALE(from); from.Err() != nil {
					return from.Err()
				}
				return w.perform(e, o, c)
			}, nil
		}
	}
}

func makeCall(w *world, pallet, name string, args func(*world, int) (any, error), n int) (frame.RuntimeCall, error) {
	a, err := args(w, n)
	if err != nil {
		return frame.RuntimeCall{}, err
	}
	return w.rt.Frame.NewRuntimeCall(pallet, name, a)
}

// perform dispatches a call, which must succeed.
func (w *world) perform(e *frame.Env, o frame.Origin, c frame.RuntimeCall) error {
	if err := c.Dispatch(e, o); err != nil {
		return fmt.Errorf("%s.%s: %s", c.Pallet(), c.Name(), w.rt.Frame.ErrorName(frame.DispatchErrorOf(err)))
	}
	return nil
}

// once makes arguments that take long once for each state.
func once(args func(w *world, n int) (any, error)) func(w *world, n int) (any, error) {
	var of *world
	var made any
	return func(w *world, n int) (any, error) {
		if of == w {
			return made, nil
		}
		a, err := args(w, n)
		if err == nil {
			of, made = w, a
		}
		return a, err
	}
}

// hook measures what a hook does in a block that has begun.
func hook(f func(w *world, e *frame.Env)) func(int) run {
	return func(int) run {
		return func(w *world, h *types.Header) (*frame.Env, *counter, func() error, error) {
			e, counts := w.begin(h)
			return e, counts, func() error { f(w, e); return nil }, nil
		}
	}
}

// untouched measures what a hook does in a block of which no hook has run.
func untouched(f func(w *world, e *frame.Env)) func(int) run {
	return func(int) run {
		return func(w *world, _ *types.Header) (*frame.Env, *counter, func() error, error) {
			c := &counter{Mem: w.view, keys: map[string]int{}}
			e := w.rt.Frame.NewEnv(c)
			return e, c, func() error { f(w, e); return nil }, nil
		}
	}
}

// remarks are n calls that do nothing.
func remarks(w *world, n int) ([]frame.RuntimeCall, error) {
	c, err := w.rt.Frame.NewRuntimeCall("System", "remark", &system.RemarkArgs{})
	out := make([]frame.RuntimeCall, n)
	for i := range out {
		out[i] = c
	}
	return out, err
}

func remarkIn(wrap func(c frame.RuntimeCall) any) func(*world, int) (any, error) {
	return func(w *world, _ int) (any, error) {
		c, err := remarks(w, 1)
		return wrap(c[0]), err
	}
}

func remark(n int) []byte { return make([]byte, n) }

func keys(n int) []system.KeyValue {
	out := make([]system.KeyValue, n)
	for i := range out {
		out[i] = system.KeyValue{A: fmt.Appendf(nil, "key %d that belongs to no pallet at all", i), B: make([]byte, 64)}
	}
	return out
}

// rich gives the treasury something to spend.
func rich(w *world, e *frame.Env) {
	w.pallets.Balances.DepositCreating(e, treasury.Account(), someCoin)
}

// What is done outside a call that has to be paid for nevertheless: hashing and
// copying a kibibyte, and decoding a key, in picoseconds.
const (
	leastKiB = 4_000_000
	leastKey = 20_000
)

// files lists everything that is measured beside blocks and rotations.
func files(sessionKeys session.Keys) []file {
	root, user := frame.Root(), frame.Signed(alice)
	config := babe.NextConfigDescriptor{V1: &babe.EpochConfiguration{C: babe.Ratio{A: 1, B: 4}, AllowedSlots: 2}}
	return []file{
		{"attest", "the calls, and of the verification of a quote; the unit is a byte of the list or document", quotes()},
		{"authorship", "the hook; the unit is a handler", []field{
			{name: "block", setup: hook(alone)}}},
		{"babe", "the calls and of the block's hooks; the unit is a kibibyte of a report", []field{
			{name: "report", count: 64, least: leastKiB, setup: unsigned("Babe", "report_equivocation_unsigned", twoBlocks)},
			{name: "planConfigChange", setup: call(root, "Babe", "plan_config_change", &babe.PlanConfigChangeArgs{Config: config})},
			{name: "block", setup: hook(func(w *world, e *frame.Env) { w.pallets.Babe.OnInitialize(e); w.pallets.Babe.OnFinalize(e) })}}},
		{"balances", "the calls", []field{
			{name: "transfer", setup: call(user, "Balances", "transfer_keep_alive", &balances.TransferArgs{Dest: types.Address(nobody), Value: someCoin})},
			{name: "set", setup: call(root, "Balances", "force_set_balance", &balances.ForceSetBalanceArgs{Who: types.Address(nobody), NewFree: someCoin})}}},
		{"benefits", "the calls", funds()},
		{"grandpa", "the calls; the unit is a kibibyte of a report", []field{
			{name: "report", count: 64, least: leastKiB, setup: unsigned("Grandpa", "report_equivocation_unsigned", twoVotes)},
			{name: "noteStalled", setup: call(root, "Grandpa", "note_stalled", &grandpa.NoteStalledArgs{Delay: 1})}}},
		{"imonline", "the call; the unit is a validator", []field{
			{name: "heartbeat", count: 500, least: leastKey, setup: func(n int) run { return unsigned("ImOnline", "heartbeat", beat, quiet(n))(n) }}}},
		{"market", "the calls and of the hook; the unit is a replica of a file, for payer a payer", orders()},
		{"swork", "the calls and of the hook; the unit of files is a change, of recount and retire a worker, of hand an owner, of expire an audit", work()},
		// Session makes a block: what comes after it is measured on top of that, unless it is measured alone.
		{"session", "the calls and of the hook; the unit of rotation is a queued validator", []field{
			{name: "setKeys", setup: call(user, "Session", "set_keys", &session.SetKeysArgs{Keys: sessionKeys})},
			{name: "purgeKeys", setup: call(user, "Session", "purge_keys", &frame.NoArgs{})},
			{name: "noRotation", setup: hook(func(w *world, e *frame.Env) { w.pallets.Session.OnInitialize(e) })}}},
		{"sudo", "the calls, without the call inside", []field{
			{name: "sudo", inner: 1, setup: callOf(user, "Sudo", "sudo", remarkIn(func(c frame.RuntimeCall) any { return &sudo.SudoArgs{Call: c} }))},
			{name: "setKey", setup: call(user, "Sudo", "set_key", &sudo.SetKeyArgs{New: types.Address(nobody)})}}},
		{"staking", "the calls and of the hook; the unit of list is an account, of cancelSlash a slash, of work a row", stakes()},
		{"system", "the calls; the unit is a byte for remarks, a key for storage calls", []field{
			{name: "remark", count: 100_000, least: 1_000, setup: callOf(user, "System", "remark", func(_ *world, n int) (any, error) { return &system.RemarkArgs{Remark: remark(n)}, nil })},
			{name: "remarkWithEvent", count: 100_000, least: 1_000, setup: callOf(user, "System", "remark_with_event", func(_ *world, n int) (any, error) { return &system.RemarkArgs{Remark: remark(n)}, nil })},
			{name: "setStorage", count: 100, setup: callOf(root, "System", "set_storage", func(_ *world, n int) (any, error) { return &system.SetStorageArgs{Items: keys(n)}, nil })}}},
		{"timestamp", "the calls", []field{
			{name: "set", setup: call(frame.None(), "Timestamp", "set", &timestamp.SetArgs{Now: types.Moment(firstSlot) * 1000})}}},
		{"treasury", "the calls", []field{
			{name: "spend", setup: call(root, "Treasury", "spend_local", &treasury.SpendLocalArgs{Amount: fixed.FromUint64(runtime.CRU / 2), Beneficiary: types.Address(nobody)}, rich)}}},
		{"utility", "the calls, without the calls inside; the unit is one call", []field{
			{name: "batch", count: 100, inner: 1, least: leastCall, setup: callOf(user, "Utility", "batch_all", func(w *world, n int) (any, error) {
				c, err := remarks(w, n)
				return &utility.BatchArgs{Calls: c}, err
			})},
			{name: "asDerivative", inner: 1, setup: callOf(user, "Utility", "as_derivative", remarkIn(func(c frame.RuntimeCall) any { return &utility.AsDerivativeArgs{Call: c} }))}}},
	}
}
