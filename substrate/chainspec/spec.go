package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of a specification.
const (
	MaxBytes     = 256 << 20 // of a file
	MaxNameBytes = 128       // of name and of a custom chain type
	MaxIDBytes   = 64        // of id, protocolId and forkId
	maxDepth     = 64        // of nested JSON
)

// ErrNotRaw says that a specification lists pallet configurations where the
// state itself is needed.
var ErrNotRaw = errors.New("the chain spec is not raw: make it raw with the runtime that it is for (crust build-spec --raw)")

// Spec is a chain specification. [Parse] returns checked ones; [Spec.Validate]
// checks one that was put together by hand.
type Spec struct {
	Name       string          // shown to people
	ID         string          // names directories: letters, digits, '-' and '_'
	ChainType  ChainType       // Live if the file says nothing
	BootNodes  []string        // multiaddresses that end in /p2p/<peer id>
	Telemetry  []Telemetry     // servers that nodes report to
	ProtocolID string          // prefix of legacy network protocols; may be empty
	ForkID     string          // part of network protocol names; may be empty
	Properties Properties      // for user interfaces
	ForkBlocks []ForkBlock     // blocks that must have these hashes
	BadBlocks  []types.Hash    // blocks that are refused
	LightSync  *LightSyncState // checkpoint for light clients; may be nil
	Genesis    Genesis         // the state of block 0
}

// ChainType says what a network is for: Live, Local, Development, or any other
// word, which is a custom type.
type ChainType string

// The types that Substrate knows.
const (
	Live        ChainType = "Live"
	Local       ChainType = "Local"
	Development ChainType = "Development"
)

// MarshalJSON writes a known type as a string and a custom one as
// {"Custom": "…"}, in chain specs as in system_chainType.
func (c ChainType) MarshalJSON() ([]byte, error) {
	switch c {
	case Live, Local, Development:
		return marshal(string(c))
	}
	return marshal(map[string]string{"Custom": string(c)})
}

// Telemetry is a telemetry server and how much it is told (0 to 9).
type Telemetry struct {
	Address   string
	Verbosity uint8
}

// MarshalJSON writes a pair.
func (t Telemetry) MarshalJSON() ([]byte, error) { return marshal([]any{t.Address, t.Verbosity}) }

// ForkBlock is the only hash that the block of a height may have.
type ForkBlock struct {
	Number types.BlockNumber
	Hash   types.Hash
}

// MarshalJSON writes a pair.
func (f ForkBlock) MarshalJSON() ([]byte, error) { return marshal([]any{f.Number, f.Hash}) }

// Properties is what system_properties answers. Three names have a meaning to
// everybody: ss58Format, tokenDecimals and tokenSymbol.
type Properties map[string]json.RawMessage

// SS58Format returns the address prefix of the chain, if the properties name one.
func (p Properties) SS58Format() (prefix uint16, ok bool) {
	return prefix, p["ss58Format"] != nil && json.Unmarshal(p["ss58Format"], &prefix) == nil
}

// LightSyncState is the checkpoint that sync_state_genSyncSpec adds for light
// clients: SCALE values of Substrate's light synchronisation, carried unread.
type LightSyncState struct {
	FinalizedBlockHeader     []byte
	BabeEpochChanges         []byte
	BabeFinalizedBlockWeight uint32
	GrandpaAuthoritySet      []byte
}

// Genesis is the state of block 0, in exactly one of two forms.
type Genesis struct {
	// Raw is the state itself: sorted by key, no key twice.
	Raw []trie.KV
	// Runtime holds the configuration of pallets by name.
	Runtime map[string]json.RawMessage
}

// IsRaw reports whether the specification holds the state itself.
func (s *Spec) IsRaw() bool { return s.Genesis.Runtime == nil }

// Raw returns the specification with the state itself, which build makes of the
// configuration of the pallets. A specification that is raw is returned as it is.
func (s *Spec) Raw(build func(pallets map[string]json.RawMessage) ([]state.Change, error)) (*Spec, error) {
	if s.IsRaw() {
		return s, nil
	}
	changes, err := build(s.Genesis.Runtime)
	if err != nil {
		return nil, fmt.Errorf("chain spec: %w", err)
	}
	raw := *s
	raw.Genesis = Genesis{Raw: make([]trie.KV, 0, len(changes))}
	for _, c := range changes {
		if !c.Deleted {
			raw.Genesis.Raw = append(raw.Genesis.Raw, trie.KV{Key: c.Key, Value: c.Value})
		}
	}
	raw.Genesis.Raw = trie.SortEntries(raw.Genesis.Raw)
	return &raw, raw.Validate()
}

// Entries returns the state of block 0, sorted by key, or [ErrNotRaw].
func (s *Spec) Entries() ([]trie.KV, error) {
	if !s.IsRaw() {
		return nil, ErrNotRaw
	}
	return s.Genesis.Raw, nil
}

// GenesisHeader returns the header of block 0, or [ErrNotRaw].
func (s *Spec) GenesisHeader() (types.Header, error) {
	entries, err := s.Entries()
	if err != nil {
		return types.Header{}, err
	}
	return GenesisHeader(entries), nil
}

// GenesisHeader returns the header of block 0 with this state: no parent, no
// extrinsics, no digest, and a state root of version 1.
func GenesisHeader(entries []trie.KV) types.Header {
	return types.Header{StateRoot: trie.Root(trie.V1, entries), ExtrinsicsRoot: trie.EmptyRoot}
}

// marshal is json.Marshal without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
