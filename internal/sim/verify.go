package sim

import "github.com/crustgo/crust/substrate/crypto/ed25519"

// maxSignatures bounds the cache; it begins anew when it is full.
const maxSignatures = 1 << 19

// maxTables bounds the keys with tables: 10 MiB.
const maxTables = 256

// signature is a signature with all that its validity depends on.
type signature struct {
	public  [32]byte
	bytes   [64]byte
	message string
}

// signatures verifies each signature once for all nodes.
type signatures struct {
	known  map[signature]bool
	keys   map[[32]byte]*ed25519.PreparedKey
	checks int
}

func newSignatures() *signatures {
	return &signatures{known: map[signature]bool{}, keys: map[[32]byte]*ed25519.PreparedKey{}}
}

// verify is a grandpa.Verifier.
func (s *signatures) verify(items []ed25519.Item) []bool {
	valid := make([]bool, len(items))
	for i := range items {
		it := &items[i]
		k := signature{it.Public, it.Signature, string(it.Message)}
		ok, known := s.known[k]
		if !known {
			ok = s.check(it)
			if len(s.known) == maxSignatures {
				clear(s.known)
			}
			s.known[k] = ok
		}
		valid[i] = ok
	}
	return valid
}

func (s *signatures) check(it *ed25519.Item) bool {
	s.checks++
	key, ok := s.keys[it.Public]
	if !ok {
		prepare := ed25519.Tabulate
		if len(s.keys) >= maxTables {
			prepare = ed25519.Prepare
		}
		key, _ = prepare(it.Public) // nil for what is no point
		s.keys[it.Public] = key
	}
	return key != nil && key.Verify(it.Message, it.Signature)
}
