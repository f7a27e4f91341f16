package notary_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/example/notary"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/types"
)

// alice has enough for a note, poor has not.
var alice, poor = types.AccountID{1}, types.AccountID{2}

func u(n uint64) notary.Balance { return fixed.FromUint64(n) }

func newChain(t testing.TB) (*frametest.Chain, *notary.Pallet, *balances.Pallet) {
	sys := frametest.NewSystem()
	b := &balances.Pallet{ExistentialDeposit: frame.ConstOf(u(10)), MaxLocks: frame.ConstOf(uint32(50)), Accounts: sys}
	p := &notary.Pallet{MaxLen: frame.ConstOf(uint32(16)), Deposit: frame.ConstOf(u(50)), Currency: b}
	c := frametest.NewWith(t, sys, frametest.Module(5, "Balances", b), frametest.Module(6, "Notary", p))
	endowed := []balances.Endowment{{Account: alice, Amount: u(100)}, {Account: poor, Amount: u(49)}}
	return c.Genesis(map[string]any{"Balances": balances.Genesis{Balances: endowed}}), p, b
}

// Conformance is what every pallet is held to: documentation, weights, hostile
// arguments, and no trace of calls that fail.
func TestConformance(t *testing.T) {
	c, _, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestCalls(t *testing.T) {
	c, p, b := newChain(t)
	note := func(e *frame.Env, o frame.Origin, text string) error {
		return c.Call(e, o, "Notary", "note", &notary.NoteArgs{Text: []byte(text)})
	}
	erase := func(e *frame.Env, o frame.Origin) error { return c.Call(e, o, "Notary", "erase", &frame.NoArgs{}) }
	c.Block(func(e *frame.Env) {
		for _, step := range []struct {
			name string
			do   func() error
			err  error
			free uint64 // of alice, afterwards
		}{
			{"nobody cannot write", func() error { return note(e, frame.None(), "hello") }, frame.ErrBadOrigin, 100},
			{"nothing to erase", func() error { return erase(e, frame.Signed(alice)) }, notary.ErrNoNote, 100},
			{"too long", func() error { return note(e, frame.Signed(alice), "seventeen letters") }, notary.ErrTooLong, 100},
			{"too poor", func() error { return note(e, frame.Signed(poor), "hello") }, balances.ErrInsufficientBalance, 100},
			{"the longest", func() error { return note(e, frame.Signed(alice), "sixteen letters!") }, nil, 50},
			{"again, for the same deposit", func() error { return note(e, frame.Signed(alice), "hello") }, nil, 50},
			{"erase", func() error { return erase(e, frame.Signed(alice)) }, nil, 100},
			{"an empty note is one", func() error { return note(e, frame.Signed(alice), "") }, nil, 50},
		} {
			if err := step.do(); !errors.Is(err, step.err) {
				t.Errorf("%s: error %v, want %v", step.name, err, step.err)
			}
			if got := b.FreeBalance(e, alice); got != u(step.free) {
				t.Errorf("%s: alice has %v free, want %v", step.name, got, step.free)
			}
		}
		var got []any
		for _, ev := range c.Events(e) {
			switch ev.(type) {
			case *notary.Noted, *notary.Erased:
				got = append(got, ev)
			}
		}
		want := []any{
			&notary.Noted{Who: alice, Text: []byte("sixteen letters!")}, &notary.Noted{Who: alice, Text: []byte("hello")},
			&notary.Erased{Who: alice}, &notary.Noted{Who: alice, Text: []byte{}},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
	e := c.Env()
	if n, ok := p.Notes.Lookup(e, alice); !ok || n.At != 1 || len(n.Text) != 0 || p.Count.Get(e) != 1 || p.Notes.Exists(e, poor) {
		t.Errorf("note %+v, %v; %d notes", n, ok, p.Count.Get(e))
	}
}

// Check must see what it is there for.
func TestCheck(t *testing.T) {
	for name, spoil := range map[string]func(*frame.Env, *notary.Pallet, *balances.Pallet){
		"count": func(e *frame.Env, p *notary.Pallet, _ *balances.Pallet) { p.Count.Put(e, 7) },
		"length": func(e *frame.Env, p *notary.Pallet, _ *balances.Pallet) {
			p.Notes.Put(e, alice, notary.Note{Text: make([]byte, 17)})
		},
		"deposit": func(e *frame.Env, _ *notary.Pallet, b *balances.Pallet) { b.Unreserve(e, alice, u(1)) },
	} {
		c, p, b := newChain(t)
		e := c.Env()
		if err := c.Call(e, frame.Signed(alice), "Notary", "note", &notary.NoteArgs{}); err != nil {
			t.Fatal(err)
		}
		if err := p.Check(e); err != nil {
			t.Errorf("a sound state: %v", err)
		}
		if spoil(e, p, b); p.Check(e) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// Any history of calls leaves the notes that a plain map would have.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c, p, b := newChain(t)
		model := map[types.AccountID][]byte{}
		c.Block(func(e *frame.Env) { // Block runs Check at its end
			for range rapid.IntRange(0, 20).Draw(r, "calls") {
				who := rapid.SampledFrom([]types.AccountID{alice, poor, {3}}).Draw(r, "who")
				text := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(r, "text")
				if rapid.Bool().Draw(r, "erase") {
					_, had := model[who]
					if err := c.Call(e, frame.Signed(who), "Notary", "erase", &frame.NoArgs{}); (err == nil) != had {
						r.Fatalf("erase: %v, although there being a note is %v", err, had)
					}
					delete(model, who)
				} else {
					can := who == alice && len(text) <= 16
					if err := c.Call(e, frame.Signed(who), "Notary", "note", &notary.NoteArgs{Text: text}); (err == nil) != can {
						r.Fatalf("note of %d bytes by %s: %v", len(text), who, err)
					}
					if can {
						model[who] = text
					}
				}
			}
		})
		e, got := c.Env(), map[types.AccountID][]byte{}
		for who, n := range p.Notes.All(e) {
			got[who] = n.Text
		}
		if diff := cmp.Diff(model, got, cmpopts.EquateEmpty()); diff != "" {
			r.Fatal(diff)
		}
		if want := uint64(50 * len(model)); b.ReservedBalance(e, alice) != u(want) {
			r.Fatalf("%v reserved, want %d", b.ReservedBalance(e, alice), want)
		}
	})
}

// BenchmarkNote measures what the weights of calls are made of.
func BenchmarkNote(b *testing.B) {
	c, _, _ := newChain(b)
	e := c.Env()
	args := &notary.NoteArgs{Text: bytes.Repeat([]byte{'x'}, 16)}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Call(e, frame.Signed(alice), "Notary", "note", args); err != nil {
			b.Fatal(err)
		}
	}
}
