package bundle_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/crustgo/crust/dsm/bundle"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// fileOf is the CID of a file that is known by a name only.
func fileOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return dag.FromSum(dag.DagPB, sum).String()
}

// specOf is a network on which Alice has paid for two files: Bob and Charlie prove
// that they hold the first, Eve says that she does.
func specOf(t testing.TB, tweak func(*runtime.Network)) *chainspec.Spec {
	t.Helper()
	n := runtime.Networks()["dev"]
	if tweak != nil {
		tweak(&n)
	}
	spec, err := n.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return chaintest.WithStored(t, spec,
		chaintest.Stored{File: fileOf("film"), Size: 7 << 20, Payer: "//Alice", Live: []string{"//Bob", "//Charlie"}, Dead: []string{"//Eve"}},
		chaintest.Stored{File: fileOf("song"), Size: 3 << 20, Payer: "//Alice"})
}

// rulesOf remembers runtimes, for there are many bundles and few chains.
func rulesOf() bundle.Rules {
	var mu sync.Mutex // guards known
	known := map[string]bundle.Runtime{}
	return func(view state.View) (bundle.Runtime, error) {
		raw, _, err := view.Get([]byte(runtime.PresetKey))
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		if rt, ok := known[string(raw)]; ok {
			return rt, nil
		}
		rt, err := runtime.Of(view)
		if err != nil {
			return nil, err
		}
		known[string(raw)] = rt.Frame
		return rt.Frame, nil
	}
}

// world is a chain, and what a verifier of it trusts.
type world struct {
	testing.TB
	n       *chaintest.Node
	genesis light.Checkpoint
	rules   bundle.Rules
}

func newWorld(t testing.TB, tweak func(*runtime.Network)) *world {
	t.Helper()
	spec := specOf(t, tweak)
	genesis, err := runtime.Genesis(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, chaintest.Load(t, spec).Start(t), genesis, rulesOf()}
}

// bundle makes the bundle of a file, of warp proofs of at most so many bytes.
func (w *world) bundle(file string, from light.Checkpoint, most int) *bundle.Bundle {
	w.Helper()
	b := &bundle.Bundle{From: from.Header.Hash(), CID: file}
	at := b.From
	for {
		raw, err := w.n.WarpProof(at, most)
		if err != nil {
			w.Fatal(err)
		}
		p, err := grandpa.DecodeWarpProof(raw)
		if err != nil {
			w.Fatal(err)
		}
		if len(p.Fragments) == 0 {
			break
		}
		b.Trail = append(b.Trail, raw)
		at = p.Fragments[len(p.Fragments)-1].Header.Hash()
		if p.Finished {
			break
		}
	}
	view, err := w.n.ViewAt(at)
	if err != nil {
		w.Fatal(err)
	}
	r := &bundle.Recorder{Fetch: view.Get}
	if _, err := bundle.Judge(r, w.rules, file); err != nil && !errors.Is(err, bundle.ErrNoOrder) {
		w.Fatal(err)
	}
	if b.Nodes, err = w.n.Proof(at, r.Keys()); err != nil {
		w.Fatal(err)
	}
	return b
}

func (w *world) verify(data []byte, from light.Checkpoint) (*bundle.Statement, *light.Client, error) {
	w.Helper()
	b, err := bundle.Decode(data)
	if err != nil {
		return nil, nil, err
	}
	return bundle.Verify(b, from, w.rules, nil)
}

// grown is a chain with some final blocks, on which the replicas are reported.
func grown(t testing.TB) *world {
	w := newWorld(t, nil)
	for range 5 {
		w.n.Grow()
		w.n.FinaliseBest()
	}
	return w
}

// What a bundle proves is what the chain says.
func TestProves(t *testing.T) {
	w := grown(t)
	s, _, err := w.verify(w.bundle(fileOf("film"), w.genesis, 1<<20).Encode(), w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	fin := w.n.Heads().Finalised
	if s.Number != fin.Number || s.Hash != fin.Hash || s.Genesis != w.genesis.Header.Hash() || s.Time != chaintest.Start+types.Moment(1000*(fin.Number-1)) {
		t.Errorf("block %d, %v, at %d of %v", s.Number, s.Hash, s.Time, s.Genesis)
	}
	o := s.Order
	if o.FileSize != 7<<20 || o.LiveReplicas != 2 || o.Replicas != 3 || o.Stage.Live == nil || o.Stage.Live.Until != o.ExpiresAt.Value || o.ExpiresAt.Value != 3601 || string(o.Cid) != fileOf("film") {
		t.Errorf("%+v", o)
	}
	live := map[types.AccountID]bool{}
	for _, r := range s.Replicas {
		live[r.Member] = r.Live
	}
	if want := map[types.AccountID]bool{chaintest.Account("//Bob"): true, chaintest.Account("//Charlie"): true, chaintest.Account("//Eve"): false}; !reflect.DeepEqual(live, want) {
		t.Errorf("%v", live)
	}
	s, _, err = w.verify(w.bundle(fileOf("song"), w.genesis, 1<<20).Encode(), w.genesis)
	if err != nil || s.Order.Stage.Ordered == nil || s.Order.LiveReplicas != 0 || len(s.Replicas) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, _, err := w.verify(w.bundle(fileOf("nothing"), w.genesis, 1<<20).Encode(), w.genesis); !errors.Is(err, bundle.ErrNoOrder) {
		t.Errorf("a file that nobody ordered: %v", err)
	}
}

// A trail leads over many sets of voters, in as many parts as it takes; and a block
// that was verified is a checkpoint for the next one.
func TestTrail(t *testing.T) {
	w := newWorld(t, chaintest.FourValidators(4))
	v := chaintest.NewVoters(w.n)
	v.Grow(6)
	long := w.bundle(fileOf("film"), w.genesis, 3000)
	if len(long.Trail) < 3 {
		t.Fatalf("%d warp proofs", len(long.Trail))
	}
	s, c, err := w.verify(long.Encode(), w.genesis)
	if err != nil || s.Order.LiveReplicas != 2 || c.Voters().ID() < 5 {
		t.Fatalf("%+v, %v", s, err)
	}
	kept, err := bundle.DecodeCheckpoint(bundle.Checkpoint{Checkpoint: c.Checkpoint()}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	here := w.bundle(fileOf("film"), kept.Checkpoint, 3000)
	if len(here.Trail) != 0 {
		t.Errorf("%d warp proofs to where we are", len(here.Trail))
	}
	if again, _, err := w.verify(here.Encode(), kept.Checkpoint); err != nil || again.Hash != s.Hash {
		t.Errorf("%+v, %v", again, err)
	}
	v.Grow(8)
	next := w.bundle(fileOf("film"), kept.Checkpoint, 1<<20)
	if s, _, err := w.verify(next.Encode(), kept.Checkpoint); err != nil || s.Number <= kept.Header.Number || s.Genesis != w.genesis.Header.Hash() {
		t.Errorf("%+v, %v", s, err)
	}
	if _, _, err := w.verify(next.Encode(), w.genesis); !errors.Is(err, bundle.ErrCheckpoint) {
		t.Errorf("from another checkpoint: %v", err)
	}
	refused(t, w, long, map[string]func(*bundle.Bundle){
		"a part is missing":        func(b *bundle.Bundle) { b.Trail = slices.Delete(slices.Clone(b.Trail), 1, 2) },
		"the last part is missing": func(b *bundle.Bundle) { b.Trail = b.Trail[:len(b.Trail)-1] },
		"a part comes twice":       func(b *bundle.Bundle) { b.Trail = append(slices.Clone(b.Trail), b.Trail[len(b.Trail)-1]) },
		"no trail":                 func(b *bundle.Bundle) { b.Trail = nil },
		"another file":             func(b *bundle.Bundle) { b.CID = fileOf("song") },
		"no state":                 func(b *bundle.Bundle) { b.Nodes = nil },
		"a node is missing":        func(b *bundle.Bundle) { b.Nodes = b.Nodes[:len(b.Nodes)-1] },
		"a node of another block":  func(b *bundle.Bundle) { b.Nodes = slices.Concat(b.Nodes, next.Nodes) },
		"the state of another":     func(b *bundle.Bundle) { b.Nodes = next.Nodes },
		"the voters of another":    func(b *bundle.Bundle) { b.From = next.From },
	})
}

func refused(t *testing.T, w *world, b *bundle.Bundle, spoil map[string]func(*bundle.Bundle)) {
	t.Helper()
	for name, f := range spoil {
		c := *b
		if f(&c); reflect.DeepEqual(c, *b) {
			t.Fatalf("%s: nothing is spoilt", name)
		}
		if s, _, err := w.verify(c.Encode(), w.genesis); err == nil {
			t.Errorf("%s: proves %+v", name, s)
		}
	}
}

// A chain of the same name whose voters are others is another chain.
func TestForged(t *testing.T) {
	w := grown(t)
	forged := newWorld(t, func(n *runtime.Network) { n.Validators = []string{"Bob"} })
	r := forged.n.Add(chaintest.Plan{Keys: []string{"//Bob"}})
	if _, err := forged.n.Finalise(forged.n.Justify(r, "//Bob")); err != nil {
		t.Fatal(err)
	}
	b := forged.bundle(fileOf("film"), forged.genesis, 1<<20)
	if _, _, err := forged.verify(b.Encode(), forged.genesis); err != nil {
		t.Fatal(err)
	}
	b.From = w.genesis.Header.Hash()
	if s, _, err := w.verify(b.Encode(), w.genesis); err == nil {
		t.Errorf("proves %+v", s)
	}
}

// Whatever version made a block judges it.
func TestOtherVersion(t *testing.T) {
	w := grown(t)
	data := w.bundle(fileOf("film"), w.genesis, 1<<20)
	rules := w.rules
	w.rules = func(view state.View) (bundle.Runtime, error) {
		rt, err := rules(view)
		return newer{rt}, err
	}
	if _, _, err := w.verify(data.Encode(), w.genesis); err == nil || !strings.Contains(err.Error(), "take the release of that version") {
		t.Errorf("%v", err)
	}
}

type newer struct{ bundle.Runtime }

func (n newer) Version() types.RuntimeVersion {
	v := n.Runtime.Version()
	v.SpecVersion++
	return v
}

// flip verifies a bundle with bits of each byte flipped, none of which it may prove
// anything with.
func flip(t *testing.T, masks func(i int) []byte) {
	w := grown(t)
	data := w.bundle(fileOf("film"), w.genesis, 1<<20).Encode()
	if _, _, err := w.verify(data, w.genesis); err != nil {
		t.Fatal(err)
	}
	t.Logf("a bundle of %d bytes", len(data))
	for i := range data {
		for _, mask := range masks(i) {
			data[i] ^= mask
			if s, _, err := w.verify(data, w.genesis); err == nil {
				t.Errorf("byte %d ^ %#x: proves %+v", i, mask, s)
			}
			data[i] ^= mask
		}
	}
	for n := range data {
		if _, _, err := w.verify(data[:n], w.genesis); err == nil {
			t.Errorf("the first %d bytes prove something", n)
		}
	}
}

// A flipped bit is refused, whichever byte it is in.
func TestFlippedByte(t *testing.T) {
	flip(t, func(i int) []byte { return []byte{1 << (i % 8), 0xff} })
}

// The same for every bit.
func TestLongFlippedBits(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("CRUST_LONG is not set")
	}
	flip(t, func(int) []byte { return []byte{1, 2, 4, 8, 16, 32, 64, 128} })
}

func TestDecodeRefuses(t *testing.T) {
	good := bundle.Bundle{CID: fileOf("film")}
	if _, err := bundle.Decode(good.Encode()); err != nil {
		t.Fatal(err)
	}
	head := len(good.Encode()) - 2 - 1 - len(good.CID) - 32
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"no proof":           []byte("crust/proof-of-fire\n\x01"),
		"another format":     append(append([]byte{}, good.Encode()[:head-1]...), 2),
		"too long":           make([]byte, bundle.MaxBytes+1),
		"more behind":        append(good.Encode(), 0),
		"no file":            (&bundle.Bundle{CID: "film"}).Encode(),
		"a file's other CID": (&bundle.Bundle{CID: "z" + fileOf("film")}).Encode(),
		"too many proofs":    (&bundle.Bundle{CID: fileOf("film"), Trail: make([][]byte, bundle.MaxTrail+1)}).Encode(),
		"a length of 2^30":   append(good.Encode()[:len(good.Encode())-1], 0xfe, 0xff, 0xff, 0xff),
	} {
		if b, err := bundle.Decode(data); err == nil {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	w := grown(f)
	good := w.bundle(fileOf("film"), w.genesis, 1<<20).Encode()
	f.Add(good)
	f.Add((&bundle.Bundle{CID: fileOf("song"), Trail: [][]byte{{1}, nil}, Nodes: [][]byte{{2, 3}}}).Encode())
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := bundle.Decode(data)
		if err != nil {
			return
		}
		if got := b.Encode(); string(got) != string(data) {
			t.Fatalf("%x decodes and encodes as %x", data, got)
		}
		s, _, err := bundle.Verify(b, w.genesis, w.rules, nil)
		if size := map[string]uint64{fileOf("film"): 7 << 20, fileOf("song"): 3 << 20}[b.CID]; err == nil && s.Order.FileSize != size {
			t.Fatalf("proves %+v", s) // what may differ is the order of nodes, and which are shown beside those that are needed
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	w := newWorld(f, nil)
	f.Add(bundle.Checkpoint{Checkpoint: w.genesis}.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := bundle.DecodeCheckpoint(data)
		if err != nil {
			return
		}
		if got := p.Encode(); string(got) != string(data) {
			t.Fatalf("%x decodes and encodes as %x", data, got)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w := grown(b)
	data := w.bundle(fileOf("film"), w.genesis, 1<<20).Encode()
	b.ReportAllocs()
	b.ReportMetric(float64(len(data)), "bundle-bytes")
	for b.Loop() {
		if _, _, err := w.verify(data, w.genesis); err != nil {
			b.Fatal(err)
		}
	}
}
