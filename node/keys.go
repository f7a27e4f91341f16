package node

import (
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/keystore"
	"github.com/crustgo/crust/substrate/reporter"
	"github.com/crustgo/crust/substrate/rpc"
)

// keys shows the keystore to those who sign with it.
type keys struct{ store *keystore.Store }

// BABE returns the keys that blocks are made with.
func (k keys) BABE() []babe.Key {
	return signers(k.store, keystore.BABE, func(p crypto.Sr25519Pair) babe.Key { return p.KeyPair })
}

// signers are the keys of a kind, each as what signs with it.
func signers[P crypto.Pair, K any](store *keystore.Store, kind keystore.KeyType, key func(P) K) []K {
	var out []K
	for _, public := range store.Public(kind) {
		pair, _ := store.Pair(kind, public)
		if p, ok := pair.(P); ok {
			out = append(out, key(p))
		}
	}
	return out
}

// Authoring is BABE, as the RPC server calls it.
func (k keys) Authoring() []babe.Key { return k.BABE() }

// GRANDPA returns the keys that blocks are finalised with.
func (k keys) GRANDPA() []grandpa.Key {
	return signers(k.store, keystore.GRANDPA, func(p crypto.Ed25519Pair) grandpa.Key { return p.KeyPair })
}

// ImOnline returns the keys that heartbeats are signed with.
func (k keys) ImOnline() []reporter.Key {
	return signers(k.store, keystore.ImOnline, func(p crypto.Sr25519Pair) reporter.Key { return p.KeyPair })
}

// Insert keeps the key of a secret URI.
func (k keys) Insert(kind rpc.KeyType, suri string, public []byte) error {
	return k.store.Insert(keystore.KeyType(kind[:]), suri, public)
}

// Generate makes a set of session keys.
func (k keys) Generate() ([]byte, error) {
	public, err := k.store.Generate()
	return public[:], err
}

// Has reports whether a key is in the keystore.
func (k keys) Has(kind rpc.KeyType, public []byte) bool {
	return len(public) == keystore.PublicSize && k.store.Has(keystore.KeyType(kind[:]), [keystore.PublicSize]byte(public))
}

// openKeys opens the keystore and adds the session keys of the secret URIs that
// the command line names, in memory only.
func openKeys(dir string, uris []string) (keys, error) {
	store := keystore.NewMemory()
	if dir != "" && len(uris) == 0 {
		var err error
		if store, err = keystore.Open(dir); err != nil {
			return keys{}, err
		}
	}
	for _, uri := range uris {
		for _, kind := range keystore.SessionKeyTypes() {
			scheme, err := kind.Scheme()
			if err != nil {
				return keys{}, err
			}
			pair, err := crypto.ParseURI(uri, scheme)
			if err != nil {
				return keys{}, err
			}
			public := pair.Public()
			if err := store.Insert(kind, uri, public.Bytes()); err != nil {
				return keys{}, fmt.Errorf("session key %s: %w", kind, err)
			}
		}
	}
	return keys{store}, nil
}
