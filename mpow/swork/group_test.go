package swork_test

import (
	"embed"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

//go:embed testdata
var testdata embed.FS

func (w *world) signed(e *frame.Env, who types.AccountID, name string, target types.AccountID) error {
	if name == "create_group" || name == "quit_group" {
		return w.Call(e, frame.Signed(who), "Swork", name, &frame.NoArgs{})
	}
	return w.Call(e, frame.Signed(who), "Swork", name, &swork.TargetArgs{Target: target})
}

// join brings a worker into a group, which is created if need be.
func (w *world) join(m *worker, owner types.AccountID) {
	w.T.Helper()
	w.do(func(e *frame.Env) error {
		var err error
		if !w.p.Groups.Exists(e, owner) {
			err = w.signed(e, owner, "create_group", owner)
		}
		return errors.Join(err, w.signed(e, owner, "add_member_into_allowlist", m.account), w.signed(e, m.account, "join_group", owner))
	})
}

// TestGroupScenarios plays the scenarios of the original about groups, under their
// names: the same calls with the same outcomes.
func TestGroupScenarios(t *testing.T) {
	var scenarios []struct {
		Name  string
		Steps []struct {
			Op, Call, Signed, Target, Error string
			Group                           string
			Members, Allowlist              []string
		}
	}
	raw, err := testdata.ReadFile("testdata/groups.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &scenarios); err != nil {
		t.Fatal(err)
	}
	names := map[string]*frame.Error{}
	for _, e := range (&swork.Pallet{}).Spec().Errors {
		if e != nil {
			names[e.Error()] = e
		}
	}
	id := func(name string) types.AccountID { return types.AccountID{name[0], name[1], 1} }
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			w := newWorld(t)
			w.Run(2)
			for i, step := range s.Steps {
				switch step.Op {
				case "identity":
					e := w.Env() // one who has a group cannot register; the original's set-up does not ask
					w.p.Groups.Kill(e, id(step.Signed))
					w.State.Apply(e.Changes())
					w.register(id(step.Signed))
				case "call":
					w.Block(func(e *frame.Env) {
						err := w.signed(e, id(step.Signed), step.Call, func() (a types.AccountID) {
							if step.Target != "" {
								a = id(step.Target)
							}
							return a
						}())
						if step.Error == "" && err != nil || step.Error != "" && !errors.Is(err, names[step.Error]) {
							t.Fatalf("step %d, %s by %s: %v, want %q", i, step.Call, step.Signed, err, step.Error)
						}
					})
				case "group":
					g := w.p.Groups.Get(w.Env(), id(step.Group))
					for _, l := range []struct {
						got  []types.AccountID
						want []string
					}{{g.Members, step.Members}, {g.Allowlist, step.Allowlist}} {
						if len(l.got) != len(l.want) || slices.ContainsFunc(l.want, func(n string) bool { return !slices.Contains(l.got, id(n)) }) {
							t.Fatalf("step %d: the group of %s has %x, want %v", i, step.Group, l.got, l.want)
						}
					}
				}
			}
		})
	}
	if len(scenarios) < 3 {
		t.Fatalf("%d scenarios", len(scenarios))
	}
}

func TestGroupErrors(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.register(acc(2))
	w.join(m, acc(50))
	w.do(func(e *frame.Env) error { return w.signed(e, acc(51), "create_group", acc(51)) })
	for _, tc := range []struct {
		name string
		who  types.AccountID
		call string
		to   types.AccountID
		want error
	}{
		{"kick without a group", acc(9), "kick_out", acc(1), swork.ErrNotOwner},
		{"kick another's member", acc(51), "kick_out", acc(1), swork.ErrNotJoint},
		{"kick a stranger", acc(50), "kick_out", acc(2), swork.ErrNotJoint},
		{"quit without a worker", acc(9), "quit_group", acc(1), swork.ErrIdentityNotExist},
		{"quit without a group", acc(2), "quit_group", acc(1), swork.ErrNotJoint},
		{"create as a worker", acc(2), "create_group", acc(1), swork.ErrGroupOwnerForbidden},
		{"allow another's member", acc(51), "add_member_into_allowlist", acc(1), swork.ErrAlreadyJoint},
		{"join twice", acc(1), "join_group", acc(51), swork.ErrAlreadyJoint},
		{"join without a worker", acc(9), "join_group", acc(51), swork.ErrIdentityNotExist},
	} {
		e := w.Runtime.Begin(w.State, w.Header())
		before := len(e.Changes())
		if err := w.signed(e, tc.who, tc.call, tc.to); !errors.Is(err, tc.want) || len(e.Changes()) != before {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

// A member counts for the owner that it had when the slot began, whoever it joins
// in it, and its replicas go with it.
func TestGroupsInForce(t *testing.T) {
	w := newWorld(t)
	m, n := w.register(acc(1)), w.register(acc(2))
	const unit = 4 * proof.LeafSize
	w.join(n, acc(51))
	report := func() { w.slot(map[*worker]proof.Totals{m: plan(8, 0, 0), n: plan(4, 0, 0)}) }
	for range 5 {
		report()
	}
	if a, b := w.owned(acc(1)), w.owned(acc(51)); a != 2*unit || b != unit {
		t.Fatalf("%d and %d", a, b)
	}
	w.beacon()
	w.join(m, acc(50))
	w.do(func(e *frame.Env) error { return w.signed(e, acc(1), "quit_group", acc(1)) })
	w.join(m, acc(51))
	mine, its := m.report(plan(8, 0, 0)), n.report(plan(4, 0, 0))
	w.do(func(e *frame.Env) error {
		return errors.Join(w.submit(e, "report_works", mine), w.submit(e, "report_works", its))
	})
	w.to(19)
	if a, b, c := w.owned(acc(1)), w.owned(acc(50)), w.owned(acc(51)); a != 2*unit || b != 0 || c != unit {
		t.Fatalf("in the slot: %d, %d and %d", a, b, c)
	}
	report()
	if a, b := w.owned(acc(1)), w.owned(acc(51)); a != 0 || b != 3*unit {
		t.Fatalf("after it: %d and %d", a, b)
	}
	w.do(func(e *frame.Env) error { return w.signed(e, acc(51), "kick_out", acc(1)) })
	report() // the block was the first of this slot
	if a, b := w.owned(acc(1)), w.owned(acc(51)); a != 0 || b != 3*unit {
		t.Fatalf("in the slot: %d and %d", a, b)
	}
	report()
	if a, b := w.owned(acc(1)), w.owned(acc(51)); a != 2*unit || b != unit {
		t.Fatalf("kicked: %d and %d", a, b)
	}
	if got := len(w.market.removed); got != 5 { // every move takes the replicas: n joined; m joined, quit, joined, was kicked
		t.Fatalf("replicas were removed %d times", got)
	}
	if s := m.state(); len(s.Run) != 4 || s.Missed != 0 {
		t.Fatalf("groups touch the worker: %+v", s)
	}
}
