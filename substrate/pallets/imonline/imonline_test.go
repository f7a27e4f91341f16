package imonline_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/imonline"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// world plays the session pallet: the test says when a session ends.
type world struct {
	*frametest.Chain
	p          *imonline.Pallet
	index      types.SessionIndex
	validators []types.AccountID
	pairs      []*sr25519.KeyPair
	reports    []offences.Report
}

func acc(n int) types.AccountID { return types.AccountID{byte(n), 1} }

func (w *world) SessionIndex(*frame.Env) types.SessionIndex    { return w.index }
func (w *world) ActiveValidators(*frame.Env) []types.AccountID { return w.validators }
func (w *world) File(_ *frame.Env, by []types.AccountID, r *offences.Report) error {
	if by != nil {
		w.T.Errorf("silence was reported by %v", by)
	}
	w.reports = append(w.reports, *r)
	return nil
}

func (w *world) Identify(_ *frame.Env, _ types.SessionIndex, v types.AccountID) historical.Identity {
	return historical.Identity{Validator: v, Identification: v[:1]}
}

func newWorld(t testing.TB, n int) *world {
	w := &world{index: 3}
	w.p = &imonline.Pallet{UnsignedPriority: frame.ConstOf(^uint64(0)), MaxKeys: frame.ConstOf(uint32(100)), Session: w, Historical: w, Offences: w, SessionLength: 20}
	w.Chain = frametest.New(t, frametest.Module(12, "ImOnline", w.p), func(c *frame.Config) { c.APIs = w.p.APIs() }).Genesis(nil)
	e := w.Env()
	w.p.OnGenesisSession(e, w.entries(n))
	w.State.Apply(e.Changes())
	return w
}

// entries makes the first n validators those of the session.
func (w *world) entries(n int) (out []session.Entry) {
	w.validators, w.pairs = nil, nil
	for i := range n {
		w.validators = append(w.validators, acc(i))
		w.pairs = append(w.pairs, sr25519.FromSeed([32]byte{5, byte(i)}))
		out = append(out, session.Entry{Validator: acc(i), Keys: session.Keys{ImOnline: w.pairs[i].Public()}})
	}
	return out
}

// rotate ends the session and begins one with n validators; the events are those of the block.
func (w *world) rotate(n int) (events []any) {
	w.T.Helper()
	w.Block(func(e *frame.Env) {
		w.p.OnBeforeSessionEnding(e)
		w.index++
		w.p.OnNewSession(e, w.index, true, w.entries(n), nil)
		events = w.Events(e)
	})
	return events
}

// beat is the heartbeat of a validator.
func (w *world) beat(i int) imonline.HeartbeatArgs {
	a := imonline.HeartbeatArgs{Heartbeat: imonline.Heartbeat{BlockNumber: w.Number, SessionIndex: w.index, AuthorityIndex: uint32(i), ValidatorsLen: uint32(len(w.validators))}}
	w.sign(&a, i)
	return a
}

func (w *world) sign(a *imonline.HeartbeatArgs, by int) {
	codec := scale.CodecOf[imonline.Heartbeat]()
	a.Signature = w.pairs[by].Sign(codec.Append(nil, &a.Heartbeat), nil)
}

func (w *world) validate(a imonline.HeartbeatArgs) (frame.ValidTransaction, error) {
	w.T.Helper()
	call, err := w.Runtime.NewRuntimeCall("ImOnline", "heartbeat", &a)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.p.ValidateUnsigned(w.Env(), frame.SourceExternal, call)
}

func (w *world) send(e *frame.Env, a imonline.HeartbeatArgs) error {
	return w.Call(e, frame.None(), "ImOnline", "heartbeat", &a)
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newWorld(t, 2).Chain) }

func TestHeartbeat(t *testing.T) {
	w := newWorld(t, 3)
	v, err := w.validate(w.beat(1))
	public := w.pairs[1].Public()
	want := frame.ValidTransaction{Priority: ^uint64(0), Longevity: 10, Propagate: true,
		Provides: [][]byte{append([]byte("\x20ImOnline\x03\x00\x00\x00"), public[:]...)}}
	if err != nil || !cmp.Equal(v, want) {
		t.Fatalf("%+v, %v", v, err)
	}
	w.Block(func(e *frame.Env) {
		if err := w.send(e, w.beat(1)); err != nil {
			t.Fatal(err)
		}
		if got := w.Events(e); !cmp.Equal(got, []any{&imonline.HeartbeatReceived{AuthorityId: public}}) {
			t.Errorf("events %v", got)
		}
		if err := w.send(e, w.beat(1)); !errors.Is(err, imonline.ErrDuplicatedHeartbeat) {
			t.Errorf("a second heartbeat: %v", err)
		}
		unknown := w.beat(0)
		unknown.Heartbeat.AuthorityIndex = 3
		if err := w.send(e, unknown); !errors.Is(err, imonline.ErrInvalidKey) {
			t.Errorf("a heartbeat of nobody: %v", err)
		}
		a := w.beat(2)
		if err := w.Call(e, frame.Signed(acc(2)), "ImOnline", "heartbeat", &a); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("a signed heartbeat: %v", err)
		}
	})
	call, err := w.Runtime.NewRuntimeCall("ImOnline", "heartbeat", &imonline.HeartbeatArgs{})
	if err != nil || call.Info().Class != frame.Operational {
		t.Errorf("%+v, %v", call.Info(), err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, 4)
	w.Block(func(e *frame.Env) {
		w.p.NoteAuthor(e, acc(2))
		if err := w.send(e, w.beat(3)); err != nil {
			t.Fatal(err)
		}
	})
	for _, tc := range []struct {
		name   string
		change func(h *imonline.Heartbeat)
		signer int
		want   error
	}{
		{"another's key", nil, 1, frame.ErrBadProof},
		{"the session before", func(h *imonline.Heartbeat) { h.SessionIndex-- }, 0, frame.ErrStale},
		{"the session after", func(h *imonline.Heartbeat) { h.SessionIndex++ }, 0, frame.ErrStale},
		{"more validators", func(h *imonline.Heartbeat) { h.ValidatorsLen++ }, 0, frame.Custom(10)},
		{"no validator", func(h *imonline.Heartbeat) { h.AuthorityIndex = 4 }, 0, frame.ErrBadProof},
		{"a huge position", func(h *imonline.Heartbeat) { h.AuthorityIndex = ^uint32(0) }, 0, frame.ErrBadProof},
		{"another position", func(h *imonline.Heartbeat) { h.AuthorityIndex = 1 }, 0, frame.ErrBadProof},
		{"an author", func(h *imonline.Heartbeat) { h.AuthorityIndex = 2 }, 2, frame.ErrStale},
		{"a second time", func(h *imonline.Heartbeat) { h.AuthorityIndex = 3 }, 3, frame.ErrStale},
	} {
		a := w.beat(0)
		if tc.change != nil {
			tc.change(&a.Heartbeat)
		}
		w.sign(&a, tc.signer)
		if _, err := w.validate(a); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	unsigned := w.beat(0)
	unsigned.Heartbeat.BlockNumber++ // after it was signed
	if _, err := w.validate(unsigned); !errors.Is(err, frame.ErrBadProof) {
		t.Errorf("changed after signing: %v", err)
	}
	if _, err := w.validate(w.beat(0)); err != nil {
		t.Errorf("the unchanged heartbeat: %v", err)
	}
}

func TestSessionEnd(t *testing.T) {
	w := newWorld(t, 5)
	w.Block(func(e *frame.Env) {
		w.p.NoteAuthor(e, acc(0))
		w.p.NoteAuthor(e, acc(0))
		if err := w.send(e, w.beat(3)); err != nil {
			t.Fatal(err)
		}
	})
	var got imonline.Silence
	raw, err := w.Runtime.Call(w.State, "ImOnlineApi_silent", nil)
	if err == nil {
		codec := scale.CodecOf[imonline.Silence]()
		codec.Decode(scale.NewCursor(raw), &got)
	}
	var positions []uint32
	for _, s := range got.Silent {
		if s.Key != w.pairs[s.AuthorityIndex].Public() {
			t.Errorf("the key at %d is %x", s.AuthorityIndex, s.Key)
		}
		positions = append(positions, s.AuthorityIndex)
	}
	if err != nil || got.SessionIndex != 3 || got.ValidatorsLen != 5 || !slices.Equal(positions, []uint32{1, 2, 4}) {
		t.Errorf("silent %+v, %v", got, err)
	}
	silent := []historical.Identity{{Validator: acc(1), Identification: []byte{1}}, {Validator: acc(2), Identification: []byte{2}}, {Validator: acc(4), Identification: []byte{4}}}
	if events := w.rotate(2); !cmp.Equal(events, []any{&imonline.SomeOffline{Offline: silent}}) {
		t.Errorf("events %v", events)
	}
	r := w.reports[0]
	if len(w.reports) != 1 || r.Kind != imonline.Kind || r.TimeSlot != "\x03\x00\x00\x00" || r.Session != 3 || r.Validators != 5 || r.Disable || r.Lasting || !cmp.Equal(r.Offenders, silent) {
		t.Errorf("reported %+v", w.reports)
	}
	if e := w.Env(); w.p.HeartbeatAfter.Get(e) != w.Number+10 || len(w.p.Keys.Get(e)) != 2 {
		t.Errorf("heartbeats after %d, %d keys", w.p.HeartbeatAfter.Get(e), len(w.p.Keys.Get(e)))
	}
	w.Block(func(e *frame.Env) {
		if err := errors.Join(w.send(e, w.beat(0)), w.send(e, w.beat(1))); err != nil {
			t.Fatal(err)
		}
	})
	if events := w.rotate(2); !cmp.Equal(events, []any{&imonline.AllGood{}}) || len(w.reports) != 1 {
		t.Errorf("events %v, %d reports", events, len(w.reports))
	}
}

func TestFraction(t *testing.T) {
	for _, tc := range []struct{ silent, validators, want uint32 }{
		{0, 0, 0}, {1, 1, 0}, {1, 50, 0}, {5, 50, 0}, {6, 50, 0}, {7, 50, 4_200_000}, {25, 50, 70_000_000}, {50, 50, 70_000_000}, {1, 3, 0}, {2, 3, 70_000_000},
		{1, 4, 0}, {2, 4, 52_500_000}, {1, 10, 0}, {2, 10, 0}, {3, 10, 21_000_000}, {17, 50, 46_200_000}, {20, 50, 58_800_000}, // offence_fractions of the original
	} {
		if got := imonline.Fraction(tc.silent, tc.validators).Parts(); got != tc.want {
			t.Errorf("%d of %d: %d, want %d", tc.silent, tc.validators, got, tc.want)
		}
	}
}

func FuzzHeartbeat(f *testing.F) {
	codec := scale.CodecOf[imonline.HeartbeatArgs]()
	w := newWorld(f, 3)
	good := w.beat(1)
	f.Add(codec.Append(nil, &good))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a imonline.HeartbeatArgs
		c := scale.NewCursor(data)
		codec.Decode(c, &a)
		if c.Finish() != nil {
			return
		}
		w.T = t
		if _, err := w.validate(a); err == nil && a.Heartbeat != good.Heartbeat {
			t.Errorf("a forged heartbeat %+v", a)
		}
	})
}
