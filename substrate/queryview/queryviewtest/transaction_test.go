package queryviewtest

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

const validate = "TaggedTransactionQueue_validate_transaction"

// validateArgs are the arguments for an extrinsic's body.
func validateArgs(body []byte) []byte {
	return slices.Concat([]byte{2}, scale.AppendBytes(nil, body), bytes.Repeat([]byte{0xee}, 32))
}

// signedBody is a signed extrinsic with a signature of some kind, era and nonce.
func signedBody(signer []byte, kind byte, era types.Era, nonce uint32) []byte {
	size := 64
	if kind == 2 {
		size = 65
	}
	b := slices.Concat([]byte{0x84, 0}, signer, []byte{kind}, bytes.Repeat([]byte{0xc3}, size))
	b = scale.AppendCompact(era.AppendSCALE(b), uint64(nonce))
	return append(b, 0, 4, 3) // tip, call
}

func account(nonce, providers, sufficients uint32) []byte {
	b := scale.AppendU32(scale.AppendU32(nil, nonce), 9)
	return append(scale.AppendU32(scale.AppendU32(b, providers), sufficients), make([]byte, 64)...)
}

func tag(who []byte, nonce uint32) []byte { return scale.AppendU32(slices.Clone(who), nonce) }

// ok is a valid transaction with tags.
func ok(requires, provides [][]byte) []byte {
	b := scale.AppendU64([]byte{0}, 1)
	for _, list := range [][][]byte{requires, provides} {
		b = scale.AppendCompact(b, uint64(len(list)))
		for _, t := range list {
			b = scale.AppendBytes(b, t)
		}
	}
	return append(scale.AppendU64(b, 64), 1)
}

func TestValidateTransaction(t *testing.T) {
	v := view(t, standard())
	m := NewMachine(t, v.Code())
	who := bytes.Repeat([]byte{0xab}, 32)
	key := accountKey(who)
	eras := []types.Era{{}, types.MortalEra(64, 100), types.MortalEra(4096, 256)}
	for _, nonce := range []uint32{0, 1, 63, 64, 1<<14 - 1, 1 << 14, 1<<30 - 1, 1 << 30, 1<<32 - 1} {
		for kind := range byte(3) {
			for _, era := range eras {
				args := validateArgs(signedBody(who, kind, era, nonce))
				cases := map[string]struct {
					state []byte
					want  []byte
				}{
					"next": {account(nonce, 1, 0), ok(nil, [][]byte{tag(who, nonce)})},
					"gone": {account(nonce, 0, 0), []byte{1, 0, 1}},
				}
				if nonce > 0 {
					cases["future"] = struct{ state, want []byte }{account(0, 0, 1), ok([][]byte{tag(who, nonce-1)}, [][]byte{tag(who, nonce)})}
				}
				if nonce < 1<<32-1 {
					cases["stale"] = struct{ state, want []byte }{account(nonce+1, 1, 1), []byte{1, 0, 3}}
				}
				for name, c := range cases {
					got, keys, err := m.Call(mapState{key: c.state}, validate, args)
					if err != nil || !bytes.Equal(got, c.want) {
						t.Errorf("%s, nonce %d, kind %d: %x, %v, want %x", name, nonce, kind, got, err, c.want)
					}
					if err := CheckKeys(v, Call{validate, args}, keys, err); err != nil || len(keys) != 1 || string(keys[0]) != key {
						t.Errorf("%s: keys %x, %v", name, keys, err)
					}
				}
				if got, _, err := m.Call(mapState{}, validate, args); err != nil || !bytes.Equal(got, []byte{1, 0, 1}) {
					t.Errorf("without account: %x, %v", got, err)
				}
				if _, _, err := m.Call(mapState{key: make([]byte, 15)}, validate, args); err == nil {
					t.Error("a damaged account was read")
				}
			}
		}
	}
}

func TestValidateOtherTransactions(t *testing.T) {
	v := view(t, standard())
	m := NewMachine(t, v.Code())
	who := bytes.Repeat([]byte{0xab}, 32)
	good := signedBody(who, 1, types.Era{}, 7)
	change := func(at int, to byte) []byte { b := slices.Clone(good); b[at] = to; return b }
	for name, args := range map[string][]byte{
		"bare":              validateArgs([]byte{4, 3, 0, 1}),
		"empty":             validateArgs(nil),
		"version 5":         validateArgs(change(0, 0x85)),
		"address by index":  validateArgs(change(1, 1)),
		"unknown signature": validateArgs(change(34, 3)),
		"no nonce":          validateArgs(good[:35+64+1]),
		"half a nonce":      validateArgs(slices.Concat(good[:35+64+1], []byte{1})),
		"large nonce":       validateArgs(slices.Concat(good[:35+64+1], bytes.Repeat([]byte{7}, 20))),
		"wrong length":      append([]byte{2, 200}, validateArgs(good)[2:]...),
		"huge length":       slices.Concat([]byte{2, 3, 0, 0, 0, 1}, good, make([]byte, 32)),
	} {
		t.Run(name, func(t *testing.T) {
			h := hash.Blake2b128(args[1 : len(args)-32])
			got, keys, err := m.Call(mapState{}, validate, args)
			if want := ok(nil, [][]byte{h[:]}); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%x, %v, want %x", got, err, want)
			}
			if err := CheckKeys(v, Call{validate, args}, keys, err); err != nil || len(keys) != 0 {
				t.Errorf("keys %x, %v", keys, err)
			}
		})
	}
}

// TestValidateKeys damages extrinsics at random: code and list must see the same
// signer in whatever is left.
func TestValidateKeys(t *testing.T) {
	v := view(t, standard())
	m := NewMachine(t, v.Code())
	rapid.Check(t, func(t *rapid.T) {
		body := signedBody(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "who"), rapid.ByteRange(0, 3).Draw(t, "kind"),
			rapid.SampledFrom([]types.Era{{}, types.MortalEra(64, 100)}).Draw(t, "era"), rapid.Uint32().Draw(t, "nonce"))
		body = body[:rapid.IntRange(95, len(body)).Draw(t, "cut")]
		if rapid.Bool().Draw(t, "damage") {
			at := rapid.SampledFrom([]int{0, 1, 34, 99, 100, 101, 102}).Draw(t, "at")
			body[min(at, len(body)-1)] = rapid.Byte().Draw(t, "byte")
		}
		args := validateArgs(body)
		out, keys, err := m.Call(mapState{}, validate, args)
		if err != nil || Decodes(validate, out) != nil {
			t.Fatalf("%x, %v", out, err)
		}
		if err := CheckKeys(v, Call{validate, args}, keys, err); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzValidate feeds arguments from outside to code and list.
func FuzzValidate(f *testing.F) {
	v := view(f, standard())
	m := NewMachine(f, v.Code())
	f.Add(validateArgs([]byte{4, 1}))
	f.Add(validateArgs(signedBody(make([]byte, 32), 1, types.Era{}, 5)))
	f.Add(validateArgs(signedBody(make([]byte, 32), 2, types.MortalEra(64, 3), 1<<31)))
	f.Add(make([]byte, 34))
	f.Fuzz(func(t *testing.T, args []byte) {
		if len(args) > 1<<16 {
			return
		}
		out, keys, err := m.Call(mapState{}, validate, args)
		if (err == nil) != (len(args) >= 34) {
			t.Fatalf("%d bytes: %v", len(args), err)
		}
		if err == nil && Decodes(validate, out) != nil {
			t.Fatalf("%x", out)
		}
		if err := CheckKeys(v, Call{validate, args}, keys, err); err != nil {
			t.Fatal(err)
		}
	})
}
