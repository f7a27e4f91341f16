package grandpa

import (
	"bytes"
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/scale"
)

func equivocation(key Key) EquivocationProof {
	r := Round{Set: 2, Number: 3}
	return EquivocationProof{Round: r, Stage: Precommit, First: Sign(key, Precommit, aTarget, r), Second: Sign(key, Precommit, bTarget, r)}
}

func TestEquivocationProof(t *testing.T) {
	ks := keys(2)
	good := equivocation(ks[0])
	if err := good.Verify(); err != nil {
		t.Fatal(err)
	}
	var back EquivocationProof
	if err := scale.Decode(scale.Encode(good), &back); err != nil || back != good {
		t.Errorf("the proof decodes to %+v, %v", back, err)
	}
	for name, forge := range map[string]func(p *EquivocationProof){
		"one vote twice":        func(p *EquivocationProof) { p.Second = p.First },
		"another round":         func(p *EquivocationProof) { p.Round.Number++ },
		"another set":           func(p *EquivocationProof) { p.Round.Set++ },
		"another stage":         func(p *EquivocationProof) { p.Stage = Prevote },
		"no such stage":         func(p *EquivocationProof) { p.Stage = PrimaryPropose },
		"votes of two rounds":   func(p *EquivocationProof) { p.Second = Sign(ks[0], Precommit, bTarget, Round{2, 4}) },
		"votes of two stages":   func(p *EquivocationProof) { p.Second = Sign(ks[0], Prevote, bTarget, p.Round) },
		"two voters":            func(p *EquivocationProof) { p.Second = Sign(ks[1], Precommit, bTarget, p.Round) },
		"another voter's votes": func(p *EquivocationProof) { p.First.ID, p.Second.ID = ks[1].Public(), ks[1].Public() },
		"another target":        func(p *EquivocationProof) { p.Second.Target.Number++ },
	} {
		p := good
		if forge(&p); !errors.Is(p.Verify(), ErrNoEquivocation) {
			t.Errorf("%s: %v", name, p.Verify())
		}
	}
}

func FuzzEquivocationProof(f *testing.F) {
	key := keys(1)[0]
	good := equivocation(key)
	f.Add(scale.Encode(good))
	f.Add(scale.Encode(EquivocationProof{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p EquivocationProof
		if scale.Decode(data, &p) != nil {
			return
		}
		if got := scale.Encode(p); !bytes.Equal(got, data) {
			t.Errorf("%x decodes to %+v, which encodes to %x", data, p, got)
		}
		swapped := good
		swapped.First, swapped.Second = good.Second, good.First
		if p.Verify() == nil && p.First.ID == key.Public() && p != good && p != swapped {
			t.Errorf("a forged proof %x", data)
		}
	})
}
