package historical

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sort"

	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Member is a validator of a session: its keys and its full identification.
type Member struct {
	session.Entry
	Identification []byte // SCALE encoding of whatever the handler of offences wants
}

// Identity is who a session key belonged to: on the wire (AccountId, Vec<u8>).
type Identity struct {
	Validator      types.AccountID
	Identification []byte
}

// SCALEType describes the identity to metadata, as a pair.
func (Identity) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindTuple, Fields: []scale.Field{{Type: reflect.TypeFor[types.AccountID]()}, {Type: reflect.TypeFor[[]byte]()}}}
}

// Tree is the membership tree of a session.
type Tree struct {
	entries []trie.KV // sorted
	records map[string][]byte
	anchor  trie.Anchor
}

// version is the state version of the tree: values stand in their nodes.
const version = trie.V0

// maxProofBytes bounds a proof, made or checked.
const maxProofBytes = 1 << 20

// ErrNotMember reports a key that is no session key of any member.
var ErrNotMember = errors.New("historical: the key belongs to no member")

// NewTree builds the tree of a session. Members must not share keys.
func NewTree(members []Member) (*Tree, error) {
	t := &Tree{records: map[string][]byte{}}
	for i := range members {
		m := &members[i]
		position := positionKey(uint32(i))
		for _, k := range m.Keys.Raw() {
			t.entries = append(t.entries, trie.KV{Key: k.AppendSCALE(nil), Value: position})
		}
		who := append(append([]byte{}, m.Validator[:]...), m.Identification...)
		t.entries = append(t.entries, trie.KV{Key: position, Value: who})
	}
	n := len(t.entries)
	if t.entries = trie.SortEntries(t.entries); len(t.entries) != n {
		return nil, errors.New("historical: two members have one key")
	}
	var err error
	t.anchor, err = trie.Build(version, t.entries, func(p trie.Path, record []byte) error {
		t.records[string(p.Append(nil))] = bytes.Clone(record)
		return nil
	})
	return t, err
}

func positionKey(i uint32) []byte { return scale.AppendU32(nil, i) }

// Root commits to all members.
func (t *Tree) Root() types.Hash { return t.anchor.Hash }

// Prove returns the nodes that show to whom a key belongs.
func (t *Tree) Prove(key session.OwnedKey) ([][]byte, error) {
	name := key.AppendSCALE(nil)
	position, ok, _ := t.value(name)
	if !ok {
		return nil, ErrNotMember
	}
	opened, err := trie.Open(loader{t}, version, t.anchor)
	if err != nil {
		return nil, err
	}
	return opened.Prove(loader{t}, t.value, [][]byte{name, position}, maxProofBytes)
}

func (t *Tree) value(key []byte) ([]byte, bool, error) {
	i := t.search(key)
	if i == len(t.entries) || !bytes.Equal(t.entries[i].Key, key) {
		return nil, false, nil
	}
	return t.entries[i].Value, true, nil
}

func (t *Tree) search(key []byte) int {
	return sort.Search(len(t.entries), func(i int) bool { return bytes.Compare(t.entries[i].Key, key) >= 0 })
}

// loader gives the trie its entries and records.
type loader struct{ t *Tree }

func (l loader) Record(path []byte) ([]byte, error) { return l.t.records[string(path)], nil }

func (l loader) Range(p trie.Path, limit int) ([]trie.KV, error) {
	_, lower := p.Bytes()
	i := l.t.search(lower)
	j := i
	for j < len(l.t.entries) && p.Covers(l.t.entries[j].Key) {
		if j++; j-i > limit {
			return nil, fmt.Errorf("historical: more than %d entries below a path", limit)
		}
	}
	return l.t.entries[i:j], nil
}

func (l loader) Leaf(p trie.Path) (trie.KV, error) {
	found, err := l.Range(p, 1)
	if err == nil && len(found) == 0 {
		err = trie.ErrCorrupt
	}
	if err != nil {
		return trie.KV{}, err
	}
	return found[0], nil
}

// Open returns to whom a key belongs in the session with that root, as the
// nodes of a proof show. An error means that they do not show it.
func Open(root types.Hash, nodes [][]byte, key session.OwnedKey) (Identity, error) {
	size := 0
	for _, n := range nodes {
		size += len(n)
	}
	if size > maxProofBytes {
		return Identity{}, trie.ErrProofTooLarge
	}
	p, err := trie.NewProof(root, nodes)
	if err != nil {
		return Identity{}, err
	}
	position, ok, err := p.Get(key.AppendSCALE(nil))
	switch {
	case err != nil:
		return Identity{}, err
	case !ok:
		return Identity{}, ErrNotMember
	}
	who, ok, err := p.Get(position)
	switch {
	case err != nil:
		return Identity{}, err
	case !ok || len(who) < len(types.AccountID{}):
		return Identity{}, fmt.Errorf("historical: no member stands at position %x", position)
	}
	return Identity{types.AccountID(who[:32]), bytes.Clone(who[32:])}, nil
}
