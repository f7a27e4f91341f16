package babe

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// far is a latest slot that nothing in these tests reaches.
const far = types.Slot(1 << 40)

// world is a chain's authors and configuration.
type world struct {
	pairs  []*sr25519.KeyPair
	keys   []Key
	config Config
}

func newWorld(n int, allowed AllowedSlots) *world {
	w := &world{config: Config{SlotDuration: 6000, EpochLength: 10, EpochConfig: EpochConfig{C: Ratio{1, 4}, Allowed: allowed}, Randomness: [32]byte{7}}}
	for i := range n {
		pair := sr25519.FromSeed([32]byte{1, byte(i), byte(i >> 8)})
		w.pairs = append(w.pairs, pair)
		w.keys = append(w.keys, pair)
		w.config.Authorities = append(w.config.Authorities, Authority{pair.Public(), 1})
	}
	return w
}

// link is a block of a test chain.
type link struct {
	header types.Header
	head   Head // of the block
	claim  PreDigest
}

func (w *world) genesis() link { return link{head: GenesisHead(&w.config)} }

// header makes the sealed header of a child with a claim; more is appended to
// the digest before the seal.
func (w *world) header(parent link, claim PreDigest, key Key, more ...types.DigestItem) types.Header {
	h := types.Header{ParentHash: parent.header.Hash(), Number: parent.header.Number + 1}
	h.Digest = append(types.Digest{claim.Item()}, more...)
	if _, first := parent.head.Epochs.At(claim.Slot); first {
		h.Digest = append(h.Digest, w.announce(claim.Slot).Item())
	}
	if err := Seal(&h, key); err != nil {
		panic(err)
	}
	return h
}

// announce is the announcement that the block in a slot makes.
func (w *world) announce(slot types.Slot) Log {
	return NextEpoch(w.config.Authorities, hash.Blake2b256([]byte(fmt.Sprint("randomness", slot))))
}

// author makes and verifies the child in a slot, if somebody may author it.
func (w *world) author(t testing.TB, parent link, slot types.Slot) (link, bool) {
	t.Helper()
	e, _ := parent.head.Epochs.At(slot)
	claim, key, ok := Claim(slot, e, w.keys)
	if !ok {
		return link{}, false
	}
	h := w.header(parent, claim, key)
	v, err := Verify(&h, parent.head, far)
	if err != nil {
		t.Fatalf("slot %d, %v claim: %v", slot, claim.Kind, err)
	}
	return link{h, v.Head, claim}, true
}

// chain authors a block in every slot from first on that somebody may fill.
func (w *world) chain(t testing.TB, parent link, first types.Slot, slots int) []link {
	t.Helper()
	var out []link
	for s := first; s < first+types.Slot(slots); s++ {
		if l, ok := w.author(t, parent, s); ok {
			out = append(out, l)
			parent = l
		}
	}
	return out
}

func TestChains(t *testing.T) {
	for _, tc := range []struct {
		name    string
		n       int
		allowed AllowedSlots
	}{
		{"one author, primary only", 1, PrimarySlots},
		{"one author, VRF", 1, PrimaryAndSecondaryVRF},
		{"four authors, plain", 4, PrimaryAndSecondaryPlain},
		{"four authors, VRF", 4, PrimaryAndSecondaryVRF},
		{"thirty authors, primary only", 30, PrimarySlots},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(tc.n, tc.allowed)
			blocks := w.chain(t, w.genesis(), 1000, 60)
			kinds := map[ClaimKind]int{}
			for _, b := range blocks {
				kinds[b.claim.Kind]++
			}
			if kinds[Primary] < 5 || kinds[Primary] > 30 {
				t.Errorf("%d primary claims in 60 slots with c = 1/4", kinds[Primary])
			}
			want := 60
			if tc.allowed == PrimarySlots {
				want = kinds[Primary]
			}
			if len(blocks) != want || kinds[tc.allowed.secondary()] != want-kinds[Primary] {
				t.Errorf("%d blocks (%v), want %d", len(blocks), kinds, want)
			}
			last := blocks[len(blocks)-1]
			if got, want := last.head.Epochs.Current.Index, types.EpochIndex((last.claim.Slot-blocks[0].claim.Slot)/10); got != want {
				t.Errorf("slot %d is in epoch %d, want %d", last.claim.Slot, got, want)
			}
		})
	}
}

func TestEpochsOfOneChain(t *testing.T) {
	w := newWorld(1, PrimaryAndSecondaryPlain)
	b1, _ := w.author(t, w.genesis(), 1003)
	s := b1.head.Epochs
	if s.Current.Index != 0 || s.Current.Start != 1003 || s.Next.Index != 1 || s.Next.Start != 1013 || s.First != b1.header.Hash() {
		t.Fatalf("after block 1: %+v", s)
	}
	b2, _ := w.author(t, b1, 1012)
	if b2.head.Epochs != s {
		t.Error("a block inside an epoch does not share its parent's state")
	}
	b3, _ := w.author(t, b2, 1013)
	s = b3.head.Epochs
	if s.Current.Index != 1 || s.Current.Start != 1013 || s.Current.Randomness != w.announce(1003).Randomness || s.Next.Start != 1023 {
		t.Fatalf("after the first block of epoch 1: %+v", s)
	}
	// Epochs 2, 3 and 4 pass without a block: 1023+3·10 = 1053.
	b4, _ := w.author(t, b3, 1057)
	s = b4.head.Epochs
	if s.Current.Index != 5 || s.Current.Start != 1053 || s.Current.Randomness != w.announce(1013).Randomness || s.Next.Index != 6 || s.Next.Start != 1063 {
		t.Fatalf("after three skipped epochs: %+v", s)
	}
	b5, _ := w.author(t, b4, 1063)
	if got := b5.head.Epochs.Current; got.Index != 6 || got.Start != 1063 || got.Randomness != w.announce(1057).Randomness {
		t.Fatalf("after the skipped epochs: %+v", got)
	}
}

func TestForksHaveTheirOwnEpochs(t *testing.T) {
	w := newWorld(1, PrimaryAndSecondaryPlain)
	b1, _ := w.author(t, w.genesis(), 100)
	left, _ := w.author(t, b1, 110)
	right, _ := w.author(t, b1, 115)
	l, _ := w.author(t, left, 120)
	r, _ := w.author(t, right, 121)
	if l.head.Epochs.Current.Randomness != w.announce(110).Randomness || r.head.Epochs.Current.Randomness != w.announce(115).Randomness {
		t.Error("forks mix up their announcements")
	}
	// Fork heads of block 1: epoch 0 starts where each one starts.
	other, _ := w.author(t, w.genesis(), 104)
	if e, first := other.head.Epochs.At(113); first || e.Index != 0 {
		t.Errorf("slot 113 over a block 1 in slot 104: epoch %d, first %v", e.Index, first)
	}
	if e, first := b1.head.Epochs.At(113); !first || e.Index != 1 {
		t.Errorf("slot 113 over a block 1 in slot 100: epoch %d, first %v", e.Index, first)
	}
}

func TestConfigChangesWithTheEpoch(t *testing.T) {
	w := newWorld(1, PrimaryAndSecondaryPlain)
	changed := EpochConfig{C: Ratio{1, 2}, Allowed: PrimaryAndSecondaryVRF}
	e, _ := w.genesis().head.Epochs.At(50)
	claim, key, _ := Claim(50, e, w.keys)
	h := w.header(w.genesis(), claim, key, NextConfig(changed).Item())
	v, err := Verify(&h, w.genesis().head, far)
	if err != nil {
		t.Fatal(err)
	}
	b1 := link{h, v.Head, claim}
	for slot := types.Slot(51); slot < 70; slot++ {
		e, _ := b1.head.Epochs.At(slot)
		if want := map[bool]EpochConfig{true: changed, false: w.config.EpochConfig}[slot >= 60]; e.Config != want {
			t.Errorf("slot %d has %+v, want %+v", slot, e.Config, want)
		}
	}
	// And it stays for the epochs after it.
	b2, _ := w.author(t, b1, 60)
	if e, _ := b2.head.Epochs.At(70); e.Config != changed {
		t.Errorf("epoch 2 has %+v", e.Config)
	}
}

func TestVerifyRefuses(t *testing.T) {
	w := newWorld(4, PrimaryAndSecondaryVRF)
	blocks := w.chain(t, w.genesis(), 1000, 5)
	parent := blocks[len(blocks)-1] // slot 1004
	find := func(kind ClaimKind) link {
		for s := types.Slot(1005); s < 1010; s++ {
			if l, _ := w.author(t, parent, s); l.claim.Kind == kind {
				return l
			}
		}
		t.Fatalf("no %v claim before the epoch ends", kind)
		return link{}
	}
	primary, secondary := find(Primary), find(SecondaryVRF)
	reseal := func(claim PreDigest, key Key, more ...types.DigestItem) types.Header {
		return w.header(parent, claim, key, more...)
	}
	author := func(c PreDigest) Key { return w.keys[c.Authority] }
	e := parent.head.Epochs.Current
	mutated := func(c PreDigest, f func(*PreDigest)) types.Header { k := author(c); f(&c); return reseal(c, k) }

	// A claim to primary of the slot's secondary author, whose VRF lost.
	loser := secondary.claim
	loser.Kind = Primary
	// A secondary claim with a good VRF by another authority.
	other := (secondary.claim.Authority + 1) % 4
	stranger := vrfClaim(SecondaryVRF, secondary.claim.Slot, e, other, w.keys[other])
	// A VRF over the wrong epoch index, and over the wrong randomness.
	wrongEpoch, wrongRandomness := *e, *e
	wrongEpoch.Index++
	wrongRandomness.Randomness[0]++

	drop := func(h types.Header, f func(types.Digest) types.Digest) types.Header {
		h.Digest = f(append(types.Digest{}, h.Digest...))
		return h
	}
	for _, tc := range []struct {
		name string
		h    types.Header
		want error // nil: any error
	}{
		{"slot of the parent", reseal(parent.claim, author(parent.claim)), ErrSlot},
		{"slot before the parent's", reseal(blocks[1].claim, author(blocks[1].claim)), ErrSlot},
		{"author beyond the list", mutated(primary.claim, func(c *PreDigest) { c.Authority = 4 }), ErrClaim},
		{"kind that the epoch does not admit", mutated(secondary.claim, func(c *PreDigest) { c.Kind = SecondaryPlain }), ErrClaim},
		{"wrong secondary author", reseal(stranger, w.keys[other]), ErrSecondaryAuthor},
		{"VRF of another slot", mutated(primary.claim, func(c *PreDigest) { c.PreOutput, c.Proof = parent.claim.PreOutput, parent.claim.Proof }), ErrVRF},
		{"changed VRF proof", mutated(primary.claim, func(c *PreDigest) { c.Proof[40] ^= 1 }), ErrVRF},
		{"changed VRF output", mutated(secondary.claim, func(c *PreDigest) { c.PreOutput = parent.claim.PreOutput }), ErrVRF},
		{"VRF over another epoch", reseal(vrfClaim(SecondaryVRF, secondary.claim.Slot, &wrongEpoch, secondary.claim.Authority, author(secondary.claim)), author(secondary.claim)), ErrVRF},
		{"VRF over other randomness", reseal(vrfClaim(SecondaryVRF, secondary.claim.Slot, &wrongRandomness, secondary.claim.Authority, author(secondary.claim)), author(secondary.claim)), ErrVRF},
		{"primary claim above the threshold", reseal(loser, author(loser)), ErrThreshold},
		{"seal by another authority", reseal(primary.claim, w.keys[(primary.claim.Authority+1)%4]), ErrSeal},
		{"changed header under the seal", func() types.Header { h := primary.header; h.StateRoot[0] ^= 1; return h }(), ErrSeal},
		{"no seal", drop(primary.header, func(d types.Digest) types.Digest { return d[:len(d)-1] }), ErrSeal},
		{"short seal", drop(primary.header, func(d types.Digest) types.Digest {
			d[len(d)-1] = types.Seal(types.EngineBABE, d[len(d)-1].Data[:63])
			return d
		}), nil},
		{"seal of another engine", drop(primary.header, func(d types.Digest) types.Digest { d[len(d)-1].Engine = types.EngineGRANDPA; return d }), nil},
		{"two seals", drop(primary.header, func(d types.Digest) types.Digest { return append(d, d[len(d)-1]) }), nil},
		{"seal not last", drop(primary.header, func(d types.Digest) types.Digest { d[0], d[len(d)-1] = d[len(d)-1], d[0]; return d }), nil},
		{"two claims", reseal(primary.claim, author(primary.claim), primary.claim.Item()), nil},
		{"no claim", drop(primary.header, func(d types.Digest) types.Digest { return d[1:] }), nil},
		{"announcement inside an epoch", reseal(primary.claim, author(primary.claim), w.announce(1).Item()), ErrAnnouncement},
		{"configuration without announcement", reseal(primary.claim, author(primary.claim), NextConfig(e.Config).Item()), nil},
		{"aura item", reseal(primary.claim, author(primary.claim), types.PreRuntime(engineAURA, []byte{1})), nil},
		{"two runtime environments", reseal(primary.claim, author(primary.claim), types.DigestItem{Kind: types.DigestRuntimeEnvironmentUpdated}, types.DigestItem{Kind: types.DigestRuntimeEnvironmentUpdated}), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Verify(&tc.h, parent.head, far)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("Verify = %v, want %v", err, tc.want)
			}
		})
	}
	if _, err := Verify(&primary.header, parent.head, primary.claim.Slot-1); !errors.Is(err, ErrFuture) {
		t.Errorf("a slot in the future: %v", err)
	}
	if _, err := Verify(&primary.header, parent.head, primary.claim.Slot); err != nil {
		t.Errorf("the slot of now: %v", err)
	}
	allowed := reseal(primary.claim, author(primary.claim), OnDisabled(3).Item(), types.PreRuntime(types.EngineID{'x', 'y', 'z', 'w'}, nil), types.Consensus(types.EngineGRANDPA, []byte{1}), types.DigestItem{Kind: types.DigestOther, Data: []byte{9}})
	if _, err := Verify(&allowed, parent.head, far); err != nil {
		t.Errorf("other items in the digest: %v", err)
	}
}

func TestFirstBlocksMustAnnounce(t *testing.T) {
	w := newWorld(1, PrimaryAndSecondaryPlain)
	without := func(parent link, slot types.Slot) error {
		l, _ := w.author(t, parent, slot)
		h := l.header
		h.Digest = types.Digest{l.claim.Item()}
		if err := Seal(&h, w.keys[0]); err != nil {
			t.Fatal(err)
		}
		_, err := Verify(&h, parent.head, far)
		return err
	}
	b1, _ := w.author(t, w.genesis(), 100)
	for name, err := range map[string]error{
		"block 1":                              without(w.genesis(), 100),
		"first block of epoch 1":               without(b1, 110),
		"first block after a skipped epoch":    without(b1, 125),
		"late first block of epoch 1":          without(b1, 119),
		"the highest slot, from outer space":   without(b1, far),
		"first slot of the epoch two after it": without(b1, 120),
	} {
		if !errors.Is(err, ErrAnnouncement) {
			t.Errorf("%s without announcement: %v", name, err)
		}
	}
	twice := w.header(b1, PreDigest{Kind: SecondaryPlain, Slot: 110}, w.keys[0], w.announce(110).Item())
	if _, err := Verify(&twice, b1.head, far); err == nil {
		t.Error("a header with two announcements is valid")
	}
}

func TestClaimPrefersPrimary(t *testing.T) {
	w := newWorld(4, PrimaryAndSecondaryVRF)
	e := w.config.epoch0(1000)
	if _, _, ok := Claim(1000, e, nil); ok {
		t.Error("a claim without keys")
	}
	if _, _, ok := Claim(1000, e, []Key{sr25519.FromSeed([32]byte{99})}); ok {
		t.Error("a claim by a key that is no authority")
	}
	claims := 0
	for s := types.Slot(1000); s < 1040; s++ {
		winners := 0
		for i, k := range w.keys {
			if e.Threshold(uint32(i)).Admits(k.VRFEvaluate(e.transcript(s)).Lottery()) {
				winners++
			}
		}
		c, key, ok := Claim(s, e, w.keys)
		if !ok || (c.Kind == Primary) != (winners > 0) || key.Public() != e.Authorities[c.Authority].Key {
			t.Fatalf("slot %d: %+v, %v with %d winners", s, c, ok, winners)
		}
		for _, k := range w.keys {
			if _, _, ok := Claim(s, e, []Key{k}); ok {
				claims++
			}
		}
	}
	if claims < 40 || claims > 80 {
		t.Errorf("%d claims of single keys on 40 slots", claims)
	}
}

// epoch0 is epoch 0 of a chain whose block 1 is in a slot.
func (g *Config) epoch0(slot types.Slot) *Epoch {
	e, _ := GenesisState(g).At(slot)
	return e
}

func TestSealRefusesASealedHeader(t *testing.T) {
	w := newWorld(1, PrimarySlots)
	h := types.Header{}
	if err := Seal(&h, w.keys[0]); err != nil {
		t.Fatal(err)
	}
	if err := Seal(&h, w.keys[0]); !errors.Is(err, ErrSealed) {
		t.Errorf("sealed twice: %v", err)
	}
}

func TestStateSurvivesStorage(t *testing.T) {
	w := newWorld(3, PrimaryAndSecondaryVRF)
	states := []*EpochState{w.genesis().head.Epochs}
	for _, b := range w.chain(t, w.genesis(), 500, 25) {
		states = append(states, b.head.Epochs)
	}
	for _, s := range states {
		var back EpochState
		if err := scale.Decode(scale.Encode(s), &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(*s, back); d != "" {
			t.Fatalf("(-stored +loaded):\n%s", d)
		}
	}
}

func TestSignaturesInAnyOrder(t *testing.T) {
	w := newWorld(2, PrimaryAndSecondaryVRF)
	blocks := w.chain(t, w.genesis(), 500, 25)
	head := w.genesis().head
	var cs []*Candidate
	for i := range blocks {
		c, err := Inspect(&blocks[i].header, head, far)
		if err != nil {
			t.Fatal(err)
		}
		head = c.Head
		cs = append(cs, c)
	}
	batch := sr25519.NewBatch(len(cs))
	for i := len(cs) - 1; i >= 0; i-- {
		pub, msg, sig := cs[i].SealInput()
		batch.Add(pub, msg[:], sig)
		ready, err := sr25519.Prepare(cs[i].Author)
		if err != nil {
			t.Fatal(err)
		}
		other, err := sr25519.Prepare(sr25519.FromSeed([32]byte{99}).Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := cs[i].VerifyVRF(other); !errors.Is(err, ErrVRF) {
			t.Errorf("block %d by another key: %v", i+1, err)
		}
		if err := errors.Join(cs[i].VerifyVRF(nil), cs[i].VerifyVRF(ready)); err != nil {
			t.Errorf("block %d: %v", i+1, err)
		}
		lot := cs[i].Lot()
		if out, ok := lot.Output(); !ok || out != cs[i].Output {
			t.Errorf("block %d: VRF output %x, %v without the proof, %x with it", i+1, out, ok, cs[i].Output)
		}
	}
	if !batch.Verify() {
		t.Error("the batch of seals is wrong")
	}
}

func TestSlots(t *testing.T) {
	if got := SlotAt(12_001, 6000); got != 2 {
		t.Errorf("SlotAt = %d, want 2", got)
	}
	if got := SlotStart(2, 6000); got != 12_000 {
		t.Errorf("SlotStart = %d", got)
	}
	if got := SlotStart(1<<63, 6000); got != types.Moment(^uint64(0)) {
		t.Errorf("SlotStart overflows to %d", got)
	}
	for _, tc := range []struct {
		now  types.Moment
		want uint64
	}{{11_400, 600}, {12_000, 0}, {13_000, 0}} {
		if got := UntilSlot(tc.now, 2, 6000); got != tc.want {
			t.Errorf("UntilSlot(%d) = %d, want %d", tc.now, got, tc.want)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(100, PrimaryAndSecondaryVRF)
	parent, _ := w.author(b, w.genesis(), 1000)
	l, _ := w.author(b, parent, 1001)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(&l.header, parent.head, far); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInspect(b *testing.B) {
	w := newWorld(100, PrimaryAndSecondaryVRF)
	parent, _ := w.author(b, w.genesis(), 1000)
	l, _ := w.author(b, parent, 1001)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inspect(&l.header, parent.head, far); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClaim(b *testing.B) {
	w := newWorld(100, PrimaryAndSecondaryVRF)
	e := w.config.epoch0(1000)
	slot := types.Slot(1000)
	b.ReportAllocs()
	for b.Loop() {
		slot++
		Claim(slot, e, w.keys[:1])
	}
}
