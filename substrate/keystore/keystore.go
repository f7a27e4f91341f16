package keystore

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/crustgo/crust/substrate/crypto"
)

// KeyType says what a key is for; it is the four letters that Substrate uses.
type KeyType string

// The types of session keys.
const (
	GRANDPA            KeyType = "gran"
	BABE               KeyType = "babe"
	ImOnline           KeyType = "imon"
	AuthorityDiscovery KeyType = "audi"
)

// Sizes in bytes of a public key and of all public session keys together.
const (
	PublicSize      = 32
	SessionKeysSize = 4 * PublicSize
)

// SessionKeyTypes returns the types in the order in which the runtime's session
// keys list them.
func SessionKeyTypes() []KeyType {
	return []KeyType{GRANDPA, BABE, ImOnline, AuthorityDiscovery}
}

// Scheme returns the signature scheme of the type's keys, and an error for a type
// that this chain does not use.
func (t KeyType) Scheme() (crypto.Scheme, error) {
	switch t {
	case GRANDPA:
		return crypto.Ed25519, nil
	case BABE, ImOnline, AuthorityDiscovery:
		return crypto.Sr25519, nil
	}
	return 0, fmt.Errorf("key type %q is unknown: use gran, babe, imon or audi", string(t))
}

// Store holds session keys. It is safe for concurrent use. A key that is in the
// store stays there.
type Store struct {
	dir string // empty: in memory only

	mu    sync.RWMutex // guards pairs, and serialises writes to dir
	pairs map[id]crypto.Pair
}

// id identifies a key.
type id struct {
	kind   KeyType
	public [PublicSize]byte
}

// NewMemory returns an empty store that forgets its keys with the process.
func NewMemory() *Store { return &Store{pairs: map[id]crypto.Pair{}} }

// Insert adds the key of a secret URI (see [crypto.ParseURI]), which must have the
// given public key. Inserting a key again changes nothing.
func (s *Store) Insert(t KeyType, suri string, public []byte) error {
	pair, err := derive(t, suri)
	if err != nil {
		return fmt.Errorf("insert %s key: %w", t, err)
	}
	if own := pair.Account(); !bytes.Equal(own[:], public) {
		return fmt.Errorf("insert %s key: the secret belongs to the public key 0x%x, not to 0x%x", t, own, public)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(t, suri, pair)
}

// Generate makes a new key of every session key type and returns the public keys
// in the order of [SessionKeyTypes]: what session.setKeys takes.
func (s *Store) Generate() (public [SessionKeysSize]byte, err error) {
	for i, t := range SessionKeyTypes() {
		var seed [32]byte
		rand.Read(seed[:]) // never fails: the process ends if there is no randomness
		suri := "0x" + hex.EncodeToString(seed[:])
		pair, err := derive(t, suri)
		if err != nil {
			return public, fmt.Errorf("generate %s key: %w", t, err)
		}
		account := pair.Account()
		copy(public[i*PublicSize:], account[:])
		s.mu.Lock()
		err = s.add(t, suri, pair)
		s.mu.Unlock()
		if err != nil {
			return public, err
		}
	}
	return public, nil
}

// add keeps a key, on disk first. s.mu is held.
func (s *Store) add(t KeyType, suri string, pair crypto.Pair) error {
	key := id{t, pair.Account()}
	if s.pairs[key] != nil {
		return nil
	}
	if s.dir != "" {
		if err := writeFile(s.dir, key, suri); err != nil {
			return fmt.Errorf("store %s key: %w", t, err)
		}
	}
	s.pairs[key] = pair
	return nil
}

// Has reports whether the store has the secret of a public key.
func (s *Store) Has(t KeyType, public [PublicSize]byte) bool {
	_, ok := s.Pair(t, public)
	return ok
}

// HasSessionKeys reports whether the store has the secrets of all session keys,
// given as [Store.Generate] returns them.
func (s *Store) HasSessionKeys(public []byte) (bool, error) {
	if len(public) != SessionKeysSize {
		return false, fmt.Errorf("session keys have %d bytes, want %d: grandpa, babe, im_online and authority_discovery", len(public), SessionKeysSize)
	}
	for i, t := range SessionKeyTypes() {
		if !s.Has(t, [PublicSize]byte(public[i*PublicSize:])) {
			return false, nil
		}
	}
	return true, nil
}

// Public returns the public keys of a type in ascending order.
func (s *Store) Public(t KeyType) [][PublicSize]byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys [][PublicSize]byte
	for key := range s.pairs {
		if key.kind == t {
			keys = append(keys, key.public)
		}
	}
	slices.SortFunc(keys, func(a, b [PublicSize]byte) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

// Pair returns the key pair of a public key. It is a [crypto.Ed25519Pair] for
// GRANDPA and a [crypto.Sr25519Pair] for the other types.
func (s *Store) Pair(t KeyType, public [PublicSize]byte) (crypto.Pair, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	pair, ok := s.pairs[id{t, public}]
	return pair, ok
}

func derive(t KeyType, suri string) (crypto.Pair, error) {
	scheme, err := t.Scheme()
	if err != nil {
		return nil, err
	}
	return crypto.ParseURI(suri, scheme)
}
