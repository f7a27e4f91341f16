package timestamp_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

var errSlot = errors.New("wrong slot")

// evenOnly is a hook that refuses odd times.
type evenOnly struct{ seen *[]types.Moment }

func (h evenOnly) OnTimestampSet(_ *frame.Env, now types.Moment) error {
	if now%2 == 1 {
		return errSlot
	}
	*h.seen = append(*h.seen, now)
	return nil
}

func newChain(t testing.TB) (*frametest.Chain, *timestamp.Pallet, *[]types.Moment) {
	seen := new([]types.Moment)
	p := &timestamp.Pallet{MinimumPeriod: frame.ConstOf(types.Moment(500)), OnSet: []timestamp.OnTimestampSet{evenOnly{seen}}}
	c := frametest.New(t, frametest.Module(3, "Timestamp", p), func(c *frame.Config) { c.Inherents = []string{"Timestamp"} })
	return c.Genesis(nil), p, seen
}

func at(ms uint64) frame.InherentData {
	return frame.InherentData{timestamp.Inherent: scale.AppendU64(nil, ms)}
}

// author makes the next block with the inherent of a clock and commits it.
func author(t *testing.T, c *frametest.Chain, ms uint64) *types.Block {
	t.Helper()
	h := c.Header()
	b, err := c.Runtime.NewBlock(c.State, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Inherents(at(ms)); err != nil {
		t.Fatal(err)
	}
	body, root, out, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	h.ExtrinsicsRoot, h.Digest = root, out.Digest
	block := &types.Block{Header: *h, Body: body}
	if _, err := c.Runtime.ExecuteBlock(c.State, block, frame.Checking{Par: frame.Serial}); err != nil {
		t.Fatalf("our own block: %v", err)
	}
	c.State.Apply(out.Changes)
	c.Number++
	if err := c.Runtime.Check(c.State); err != nil {
		t.Fatal(err)
	}
	return block
}

func TestConformance(t *testing.T) {
	c, _, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestAuthoredTime(t *testing.T) {
	c, p, seen := newChain(t)
	for _, row := range []struct{ clock, want uint64 }{
		{1_000_000, 1_000_000}, {1_006_000, 1_006_000},
		{1_006_100, 1_006_500}, // the clock went too slowly
		{0, 1_007_000},         // or back
		{2_000_000, 2_000_000},
	} {
		author(t, c, row.clock)
		if got := p.Get(c.Env()); uint64(got) != row.want {
			t.Errorf("clock %d: time %d, want %d", row.clock, got, row.want)
		}
	}
	if len(*seen) != 10 { // authored and executed
		t.Errorf("the hook saw %d times", len(*seen))
	}
}

func TestSetRefuses(t *testing.T) {
	c, _, _ := newChain(t)
	author(t, c, 10_000)
	for _, row := range []struct {
		name string
		by   frame.Origin
		now  types.Moment
		ok   bool
	}{
		{"next", frame.None(), 10_500, true}, {"too early", frame.None(), 10_498, false}, {"the past", frame.None(), 0, false},
		{"signed", frame.Signed(types.AccountID{1}), 11_000, false}, {"root", frame.Root(), 11_000, false}, {"the hook's no", frame.None(), 11_001, false},
	} {
		e := c.Runtime.Begin(c.State, c.Header())
		if err := c.Call(e, row.by, "Timestamp", "set", &timestamp.SetArgs{Now: row.now}); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
		if err := c.Call(e, frame.None(), "Timestamp", "set", &timestamp.SetArgs{Now: 12_000}); (err != nil) != row.ok {
			t.Errorf("%s, then again: %v", row.name, err)
		}
	}
}

// The executive refuses what this pallet relies on: no time, or two.
func TestBlockNeedsOneTime(t *testing.T) {
	c, _, _ := newChain(t)
	b := author(t, c, 10_000)
	for _, body := range [][]types.Extrinsic{nil, {b.Body[0], b.Body[0]}} {
		h := *c.Header()
		h.ExtrinsicsRoot = types.Hash(trie.OrderedRoot(trie.V0, raw(body)))
		if _, err := c.Runtime.ExecuteBlock(c.State, &types.Block{Header: h, Body: body}, frame.Checking{Par: frame.Serial}); err == nil {
			t.Errorf("a block of %d times was executed", len(body))
		}
	}
}

func raw(body []types.Extrinsic) (out [][]byte) {
	for _, x := range body {
		out = append(out, x)
	}
	return out
}

func TestForeignTime(t *testing.T) {
	c, p, _ := newChain(t)
	author(t, c, 10_000)
	for _, row := range []struct {
		block, clock uint64
		err          error
	}{
		{20_000, 20_000, nil}, {20_000, 90_000, nil}, {50_000, 20_000, nil}, {50_002, 20_000, timestamp.ErrTooFarAhead}, {10_400, 20_000, timestamp.ErrTooEarly},
	} {
		call, err := c.Runtime.NewRuntimeCall("Timestamp", "set", &timestamp.SetArgs{Now: types.Moment(row.block)})
		if err != nil {
			t.Fatal(err)
		}
		b := &types.Block{Body: []types.Extrinsic{frame.EncodeBare(call)}}
		err = c.Runtime.CheckInherents(c.State, b, at(row.clock), nil)
		if !errors.Is(err, row.err) {
			t.Errorf("%+v: %v", row, err)
		}
	}
	if p.Index() != 3 {
		t.Errorf("index %d", p.Index())
	}
}

func TestInherentData(t *testing.T) {
	c, p, _ := newChain(t)
	for _, data := range []frame.InherentData{nil, {timestamp.Inherent: {1}}, {timestamp.Inherent: make([]byte, 9)}} {
		if _, _, err := p.CreateInherent(c.Env(), data); err == nil {
			t.Errorf("%v accepted", data)
		}
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c, p, _ := newChain(t)
		last := types.Moment(0)
		for _, clock := range rapid.SliceOfN(rapid.Uint64Range(1, 20_000), 1, 12).Draw(r, "clocks") {
			author(t, c, clock*2)
			now := p.Get(c.Env())
			if last > 0 && now < last+500 || now < types.Moment(clock*2) {
				r.Fatalf("clock %d after %d made %d", clock*2, last, now)
			}
			last = now
		}
	})
}

func BenchmarkSet(b *testing.B) {
	c, _, _ := newChain(b)
	args := &timestamp.SetArgs{Now: 1 << 40}
	call, err := c.Runtime.NewRuntimeCall("Timestamp", "set", args)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := call.Dispatch(c.Runtime.Begin(c.State, c.Header()), frame.None()); err != nil {
			b.Fatal(err)
		}
	}
}
