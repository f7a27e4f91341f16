package babe

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func rep(b string, n int) string { return strings.Repeat(b, n) }

func fill[T ~[32]byte | ~[64]byte](b byte) (out T) {
	for i := range len(out) {
		out[i] = b
	}
	return out
}

// Byte layouts of facts substrate-compat §3.1, §3.2 and §4.7, spelled out.
func TestLayouts(t *testing.T) {
	auth := []Authority{{fill[[32]byte](0xaa), 1}, {fill[[32]byte](0xbb), 513}}
	authHex := "08" + rep("aa", 32) + "0100000000000000" + rep("bb", 32) + "0102000000000000"
	cfg := EpochConfig{C: Ratio{1, 4}, Allowed: PrimaryAndSecondaryVRF}
	cfgHex := "0100000000000000 0400000000000000"
	rnd := fill[[32]byte](0xcc)
	for _, tc := range []struct {
		name string
		v    scale.Marshaler
		back scale.Unmarshaler
		want string
	}{
		{"primary", PreDigest{Primary, 7, 0x0102, fill[[32]byte](0x11), fill[[64]byte](0x22)}, new(PreDigest),
			"01 07000000 0201000000000000" + rep("11", 32) + rep("22", 64)},
		{"secondary plain", PreDigest{Kind: SecondaryPlain, Authority: 1, Slot: 2}, new(PreDigest), "02 01000000 0200000000000000"},
		{"secondary VRF", PreDigest{SecondaryVRF, 7, 9, fill[[32]byte](0x11), fill[[64]byte](0x22)}, new(PreDigest),
			"03 07000000 0900000000000000" + rep("11", 32) + rep("22", 64)},
		{"next epoch", NextEpoch(auth, rnd), new(Log), "01" + authHex + rep("cc", 32)},
		{"on disabled", OnDisabled(5), new(Log), "02 05000000"},
		{"next config", NextConfig(cfg), new(Log), "03 01" + cfgHex + "02"},
		{"configuration", Config{SlotDuration: 6000, EpochLength: 600, EpochConfig: cfg, Authorities: auth, Randomness: rnd}, new(Config),
			"7017000000000000 5802000000000000" + cfgHex + authHex + rep("cc", 32) + "02"},
		{"epoch", Epoch{Index: 3, Start: 4, Duration: 600, Authorities: auth, Randomness: rnd, Config: cfg}, new(Epoch),
			"0300000000000000 0400000000000000 5802000000000000" + authHex + rep("cc", 32) + cfgHex + "02"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := unhex(tc.want)
			got := scale.Encode(tc.v)
			if !bytes.Equal(got, want) {
				t.Fatalf("encoded\n%x, want\n%x", got, want)
			}
			if err := scale.Decode(got, tc.back); err != nil {
				t.Fatal(err)
			}
			if again := scale.Encode(tc.back.(scale.Marshaler)); !bytes.Equal(again, want) {
				t.Errorf("round trip gives\n%x, want\n%x", again, want)
			}
			for n := range got {
				if scale.Decode(got[:n], tc.back) == nil {
					t.Fatalf("the first %d of %d bytes decode", n, len(got))
				}
			}
		})
	}
	item := PreDigest{Kind: SecondaryPlain, Authority: 1, Slot: 2}.Item()
	if got, want := item.AppendSCALE(nil), unhex("06 42414245 34 02 01000000 0200000000000000"); !bytes.Equal(got, want) {
		t.Errorf("digest item\n%x, want\n%x", got, want)
	}
}

func TestDecodersRefuse(t *testing.T) {
	one := "04" + rep("aa", 32) + "0100000000000000"
	for _, tc := range []struct {
		name string
		data string
		into scale.Unmarshaler
	}{
		{"claim of kind 0", "00 01000000 0200000000000000", new(PreDigest)},
		{"claim of kind 4", "04 01000000 0200000000000000", new(PreDigest)},
		{"claim with a tail", "02 01000000 0200000000000000 00", new(PreDigest)},
		{"log of kind 9", "09", new(Log)},
		{"no authorities", "01 00" + rep("cc", 32), new(Log)},
		{"no weight", "01 04" + rep("aa", 32) + rep("00", 8) + rep("cc", 32), new(Log)},
		{"overflowing weights", "01 08" + rep("aa", 32) + rep("ff", 8) + rep("bb", 32) + "0100000000000000" + rep("cc", 32), new(Log)},
		{"more authorities than bytes", "01 fe ff ff ff", new(Log)},
		{"config version 2", "03 02 0100000000000000 0400000000000000 02", new(Log)},
		{"config with denominator 0", "03 01 0100000000000000 0000000000000000 02", new(Log)},
		{"config with c = 1", "03 01 0400000000000000 0400000000000000 02", new(Log)},
		{"config with allowed slots 3", "03 01 0100000000000000 0400000000000000 03", new(Log)},
		{"config where nobody may author", "03 01 0000000000000000 0400000000000000 00", new(Log)},
		{"epoch without slots", "0300000000000000 0400000000000000 0000000000000000" + one + rep("cc", 32) + "0100000000000000 0400000000000000 02", new(Epoch)},
	} {
		if err := scale.Decode(unhex(tc.data), tc.into); err == nil {
			t.Errorf("%s: decoded to %+v", tc.name, tc.into)
		}
	}
	many := scale.AppendCompact([]byte{1}, MaxAuthorities+1)
	many = append(many, make([]byte, (MaxAuthorities+1)*40+32)...)
	if err := scale.Decode(many, new(Log)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too many authorities: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	good := func() Config { return newWorld(1, PrimarySlots).config }
	g := good()
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*Config){
		"no slot duration": func(g *Config) { g.SlotDuration = 0 },
		"no epoch length":  func(g *Config) { g.EpochLength = 0 },
		"no authorities":   func(g *Config) { g.Authorities = nil },
		"c = 1":            func(g *Config) { g.C = Ratio{1, 1} },
		"c that is 1 in float64": func(g *Config) {
			g.C = Ratio{1<<63 - 1, 1 << 63}
		},
	} {
		g := good()
		f(&g)
		if g.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

func TestMixRandomness(t *testing.T) {
	a := MixRandomness([32]byte{1}, 2, [][32]byte{{3}, {4}})
	for i, b := range [][32]byte{
		MixRandomness([32]byte{9}, 2, [][32]byte{{3}, {4}}),
		MixRandomness([32]byte{1}, 3, [][32]byte{{3}, {4}}),
		MixRandomness([32]byte{1}, 2, [][32]byte{{3}}),
		MixRandomness([32]byte{1}, 2, [][32]byte{{4}, {3}}),
	} {
		if a == b {
			t.Errorf("change %d changes nothing", i)
		}
	}
}

// fuzzRound checks that whatever decodes encodes to the same bytes.
func fuzzRound[T scale.Marshaler, P interface {
	*T
	scale.Unmarshaler
}](t *testing.T, data []byte) {
	var v T
	if scale.Decode(data, P(&v)) != nil {
		return
	}
	if got := scale.Encode(v); !bytes.Equal(got, data) {
		t.Errorf("%x decodes to %+v, which encodes to %x", data, v, got)
	}
}

func FuzzDigests(f *testing.F) {
	f.Add(scale.Encode(PreDigest{Kind: Primary, Slot: 3}))
	f.Add(scale.Encode(PreDigest{Kind: SecondaryPlain, Slot: 3}))
	f.Add(scale.Encode(NextEpoch([]Authority{{Weight: 1}}, [32]byte{1})))
	f.Add(scale.Encode(NextConfig(EpochConfig{C: Ratio{1, 4}})))
	f.Add(scale.Encode(OnDisabled(1)))
	w := newWorld(2, PrimaryAndSecondaryVRF)
	f.Add(scale.Encode(w.config))
	f.Add(scale.Encode(w.genesis().head.Epochs))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzRound[PreDigest](t, data)
		fuzzRound[Log](t, data)
		fuzzRound[Config](t, data)
		fuzzRound[Epoch](t, data)
		var s EpochState
		if scale.Decode(data, &s) == nil {
			if got := scale.Encode(s); !bytes.Equal(got, data) {
				t.Errorf("state %x encodes to %x", data, got)
			}
		}
	})
}

// FuzzInspect gives hostile digests to the whole verification.
func FuzzInspect(f *testing.F) {
	w := newWorld(2, PrimaryAndSecondaryVRF)
	h := w.header(w.genesis(), PreDigest{Kind: SecondaryVRF, Slot: 5}, w.keys[0])
	f.Add(scale.Encode(h.Digest), uint64(5))
	f.Add(scale.Encode(types.Digest{PreDigest{Kind: Primary, Authority: 9, Slot: 1 << 60}.Item()}), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, slot uint64) {
		var h types.Header
		if scale.Decode(data, &h.Digest) != nil {
			return
		}
		logs, err := ReadLogs(h.Digest)
		if err == nil && logs.NextConfig != nil && logs.Next == nil {
			t.Error("a configuration without an announcement")
		}
		if _, err := Verify(&h, w.genesis().head, types.Slot(slot)); err == nil && logs.Claim.Slot > types.Slot(slot) {
			t.Error("a slot in the future is valid")
		}
	})
}
