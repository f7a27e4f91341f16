package p2p

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/substrate/types"
)

// Key is the ed25519 seed of a node's identity.
type Key [32]byte

// NewKey makes a random key.
func NewKey() Key {
	var k Key
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// ParseKey reads 64 hex digits, as Substrate's --node-key takes.
func ParseKey(text string) (Key, error) {
	var k Key
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "0x"))
	if err != nil || len(b) != len(k) {
		return k, errors.New("a node key is 64 hex digits: an ed25519 seed") // the text may be a secret
	}
	return Key(b), nil
}

// LoadKey reads a key from a file: 64 hex digits or 32 raw bytes, as Substrate's
// --node-key-file. If there is no such file it makes a key and writes one that
// only the owner can read, with the folder that it is in.
func LoadKey(path string) (Key, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return createKey(path)
	case err != nil:
		return Key{}, fmt.Errorf("read node key: %w; the file must be readable by the user that runs the node", err)
	}
	if len(b) == len(Key{}) {
		return Key(b), nil
	}
	k, err := ParseKey(string(b))
	if err != nil {
		return k, fmt.Errorf("node key file %s: %w; move it away to start with a new identity", path, err)
	}
	return k, nil
}

// createKey writes a new key whole or not at all, and never over another.
func createKey(path string) (Key, error) {
	k := NewKey()
	fail := func(err error) (Key, error) { return Key{}, fmt.Errorf("create node key: %w", err) }
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".node-key-*") // mode 0600
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(hex.EncodeToString(k[:]))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fail(err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return fail(err)
	}
	return k, nil
}

// private is the key as libp2p has it.
func (k Key) private() crypto.PrivKey {
	priv, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(k[:]))
	if err != nil {
		panic(err) // 64 bytes always are a key
	}
	return priv
}

// PeerID is the identity that the key gives.
func (k Key) PeerID() types.PeerID {
	id, err := peer.IDFromPrivateKey(k.private())
	if err != nil {
		panic(err)
	}
	return types.PeerID(id)
}

// FormatPeer renders a peer id as operators know it: 12D3KooW….
func FormatPeer(id types.PeerID) string { return peer.ID(id).String() }

// ParsePeer reads what FormatPeer renders.
func ParsePeer(text string) (types.PeerID, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return "", fmt.Errorf("peer id %q: %w", text, err)
	}
	return types.PeerID(id), nil
}
