package offences_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

type world struct {
	*frametest.Chain
	p    *offences.Pallet
	told []verdict
}

// verdict is what the handler was told.
type verdict struct {
	who      []types.AccountID
	fraction fixed.Perbill
	session  types.SessionIndex
	disable  bool
}

func (w *world) OnOffence(_ *frame.Env, offenders []offences.Details, fraction fixed.Perbill, index types.SessionIndex, disable bool) {
	v := verdict{nil, fraction, index, disable}
	for _, o := range offenders {
		v.who = append(v.who, o.Offender.Validator)
	}
	w.told = append(w.told, v)
}

func acc(n int) types.AccountID { return types.AccountID{byte(n), 2} }

func newWorld(t testing.TB) *world {
	w := &world{p: &offences.Pallet{KeepSessions: frame.ConstOf(uint32(5))}}
	w.p.Handler = w
	w.Chain = frametest.New(t, frametest.Module(14, "Offences", w.p)).Genesis(nil)
	return w
}

func report(slot string, index types.SessionIndex, who ...int) *offences.Report {
	r := &offences.Report{Kind: offences.Kind([]byte("babe:equivocatio")), TimeSlot: offences.TimeSlot(slot), Session: index, Validators: 10, Fraction: offences.EquivocationFraction, Disable: true}
	for _, n := range who {
		r.Offenders = append(r.Offenders, historical.Identity{Validator: acc(n)})
	}
	return r
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newWorld(t).Chain) }

// Two that did the same at one time lose more than one, and the first is told again.
func TestConcurrentReports(t *testing.T) {
	w := newWorld(t)
	file := func(e *frame.Env, r *offences.Report, want error) {
		t.Helper()
		if err := w.p.File(e, []types.AccountID{acc(9)}, r); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	w.Block(func(e *frame.Env) {
		file(e, report("one", 1, 1), nil)
		file(e, report("one", 1, 1), offences.ErrKnown)
		file(e, report("one", 1, 1, 2), nil)
		file(e, report("two", 1, 1), nil)
		other := report("one", 1, 1)
		other.Kind[0]++
		file(e, other, nil)
		if got := w.Events(e); len(got) != 4 || !cmp.Equal(got[3], &offences.Offence{Kind: other.Kind, Timeslot: "one"}) {
			t.Errorf("events %v", got)
		}
	})
	one, two := fixed.PerbillFromParts(90_000_000), fixed.PerbillFromParts(360_000_000)
	want := []verdict{
		{[]types.AccountID{acc(1)}, one, 1, true}, {[]types.AccountID{acc(1), acc(2)}, two, 1, true},
		{[]types.AccountID{acc(1)}, one, 1, true}, {[]types.AccountID{acc(1)}, one, 1, true},
	}
	if d := cmp.Diff(want, w.told, cmp.AllowUnexported(verdict{})); d != "" {
		t.Error(d)
	}
	e := w.Env()
	n := 0
	for _, d := range w.p.Reports.All(e) {
		if n++; len(d.Reporters) != 1 || d.Reporters[0] != acc(9) {
			t.Errorf("reported by %v", d.Reporters)
		}
	}
	if n != 4 {
		t.Errorf("%d reports", n)
	}
	// the identifier is FRAME's, of (kind, time slot, offender)
	kind, who := report("one", 1).Kind, acc(2)
	if !w.p.Reports.Exists(e, frame.Blake2b256(append(scale.AppendString(kind[:], "one"), who[:]...))) {
		t.Error("the report has another identifier")
	}
}

// Who is reported again and again does not fill the state.
func TestReportsAreBounded(t *testing.T) {
	w := newWorld(t)
	filed := 0
	w.Block(func(e *frame.Env) {
		for i := range 100 {
			if w.p.File(e, nil, report(string(rune('A'+i)), 1, 1)) == nil {
				filed++
			}
		}
		if err := w.p.File(e, nil, report("A", 1, 2)); err != nil {
			t.Errorf("another validator: %v", err)
		}
		if err := w.p.File(e, nil, report("later", 2, 1)); err != nil {
			t.Errorf("another session: %v", err)
		}
	})
	if filed != 16 {
		t.Errorf("%d reports were taken", filed)
	}
}

// Some let themselves be reported as often as can be, each alone, and then offend
// together: nobody can report that any more. They lose what those lose who offend together,
// and one that was alone in it loses no more than for each of its offences.
func TestReportsUsedUp(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for _, who := range []int{1, 2, 3} {
			for i := range 20 {
				slot := string([]byte{'s', byte(who), byte(i)})
				if err := w.p.File(e, nil, report(slot, 7, who)); (err == nil) != (i < 16) {
					t.Fatalf("report %d of %d: %v", i, who, err)
				}
			}
		}
		if err := w.p.File(e, nil, report("together", 7, 1, 2, 3)); !errors.Is(err, offences.ErrKnown) {
			t.Errorf("%v", err)
		}
		if got := w.Events(e); len(got) != 3*17 || !cmp.Equal(got[16], &offences.Offence{Kind: offences.Repeated, Timeslot: "\x07\x00\x00\x00"}) {
			t.Errorf("%d events, %v", len(got), got[len(got)-1])
		}
	})
	if len(w.told) != 3*17 {
		t.Fatalf("%d verdicts", len(w.told))
	}
	alone := fixed.PerbillFromParts(90_000_000)
	for i, v := range w.told {
		want := verdict{[]types.AccountID{acc(1 + i/17)}, alone, 7, true}
		if i%17 == 16 {
			want = verdict{[]types.AccountID{acc(1), acc(2), acc(3)}[:1+i/17], []fixed.Perbill{alone, fixed.PerbillFromParts(360_000_000), fixed.PerbillFromParts(810_000_000)}[i/17], 7, true}
		}
		if d := cmp.Diff(want, v, cmp.AllowUnexported(verdict{})); d != "" {
			t.Errorf("verdict %d: %s", i, d)
		}
	}
	w.Block(func(e *frame.Env) { w.p.OnNewSession(e, 13, false, nil, nil) })
	e := w.Env()
	if err := w.p.Check(e); err != nil {
		t.Error(err)
	}
	for k := range w.p.Reports.All(e) {
		t.Fatalf("report %v was not forgotten", k)
	}
}

func TestForgetting(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		lasting := report("lasting", 1, 1)
		lasting.Lasting = true
		for _, r := range []*offences.Report{report("one", 1, 1, 2), report("two", 2, 1), lasting} {
			if err := w.p.File(e, nil, r); err != nil {
				t.Fatal(err)
			}
		}
	})
	count := func() (n int) {
		for range w.p.Reports.All(w.Env()) {
			n++
		}
		return n
	}
	for _, tc := range []struct {
		index types.SessionIndex
		left  int
	}{{2, 4}, {6, 4}, {7, 2}, {8, 1}, {9, 1}} {
		w.Block(func(e *frame.Env) { w.p.OnNewSession(e, tc.index, false, nil, nil) })
		if count() != tc.left {
			t.Errorf("in session %d there are %d reports, want %d", tc.index, count(), tc.left)
		}
	}
	w.Block(func(e *frame.Env) {
		if err := w.p.File(e, nil, report("lasting", 8, 1)); !errors.Is(err, offences.ErrKnown) {
			t.Errorf("reported twice: %v", err)
		}
	})
}

// sessions is a session pallet that only disables.
type sessions struct{ disabled []types.AccountID }

func (s *sessions) Disable(_ *frame.Env, v types.AccountID) bool {
	s.disabled = append(s.disabled, v)
	return true
}

func TestDisabler(t *testing.T) {
	s := &sessions{}
	d := offences.Disabler{Session: s}
	who := []offences.Details{{Offender: historical.Identity{Validator: acc(1)}}, {Offender: historical.Identity{Validator: acc(2)}}}
	d.OnOffence(nil, who, 5, 1, false)
	d.OnOffence(nil, who, 0, 1, true)
	if len(s.disabled) != 0 {
		t.Errorf("disabled %v", s.disabled)
	}
	if d.OnOffence(nil, who, 5, 1, true); !cmp.Equal(s.disabled, []types.AccountID{acc(1), acc(2)}) {
		t.Errorf("disabled %v", s.disabled)
	}
}

func TestEquivocationFraction(t *testing.T) {
	for _, tc := range []struct{ k, n, want uint32 }{
		{1, 100, 900_000}, {5, 100, 22_500_000}, {1, 3, 1_000_000_000}, {40, 100, 1_000_000_000}, {1, 7, 183_673_468},
		{1, 1, 1_000_000_000}, {1, 4, 562_500_000}, {1, 10, 90_000_000}, {2, 10, 360_000_000}, {1, 50, 3_600_000}, {5, 50, 90_000_000}, {17, 50, 1_000_000_000}, // offence_fractions of the original
	} {
		if got := offences.EquivocationFraction(tc.k, tc.n).Parts(); got != tc.want {
			t.Errorf("%d of %d: %d, want %d", tc.k, tc.n, got, tc.want)
		}
	}
}

// owners knows one key, whatever the proof.
type owners struct{}

func (owners) Verify(_ *frame.Env, key session.OwnedKey, _ *historical.MembershipProof) (historical.Identity, error) {
	if key.Key != [32]byte{1} {
		return historical.Identity{}, historical.ErrNotMember
	}
	return historical.Identity{Validator: acc(1)}, nil
}

func (owners) BlockAuthor(*frame.Env) (types.AccountID, bool) { return acc(8), true }

func TestEquivocations(t *testing.T) {
	w := newWorld(t)
	q := &offences.Equivocations{Owners: owners{}, Authors: owners{}, Book: w.p, Longevity: 77}
	v := offences.Evidence{TimeSlot: "slot", Key: session.OwnedKey{Key: [32]byte{1}}, Proof: &historical.MembershipProof{Session: 4, ValidatorCount: 10}}
	stranger := v
	stranger.Key.Key[0]++
	valid := func(source frame.Source, v offences.Evidence) error {
		got, err := q.Validate(w.Env(), source, "Engine", []byte("tag"), &v)
		want := frame.ValidTransaction{Priority: ^uint64(0), Provides: [][]byte{[]byte("\x18Enginetag")}, Longevity: 77}
		if err == nil && !cmp.Equal(got, want) {
			t.Errorf("%+v", got)
		}
		return err
	}
	for _, tc := range []struct {
		source frame.Source
		v      offences.Evidence
		want   error
	}{{frame.SourceLocal, v, nil}, {frame.SourceInBlock, v, nil}, {frame.SourceExternal, v, frame.ErrCall}, {frame.SourceLocal, stranger, frame.ErrBadProof}} {
		if err := valid(tc.source, tc.v); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.source, err, tc.want)
		}
	}
	w.Block(func(e *frame.Env) {
		if err := q.File(e, frame.None(), &stranger); !errors.Is(err, offences.ErrOwner) {
			t.Errorf("a stranger's key: %v", err)
		}
		if err := q.File(e, frame.None(), &v); err != nil {
			t.Error(err)
		}
		if err := q.File(e, frame.Signed(acc(7)), &v); !errors.Is(err, offences.ErrKnown) {
			t.Errorf("a second report: %v", err)
		}
	})
	for _, d := range w.p.Reports.All(w.Env()) {
		if len(d.Reporters) != 1 || d.Reporters[0] != acc(8) {
			t.Errorf("the block's author reported, not %v", d.Reporters)
		}
	}
	if err := valid(frame.SourceLocal, v); !errors.Is(err, frame.ErrStale) {
		t.Errorf("a known offence: %v", err)
	}
}
