package chainspec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"

	"github.com/crustgo/crust/substrate/types"
)

// document is the file: its fields in the order that Substrate writes them, with
// null for what is optional and absent.
type document struct {
	Name            string          `json:"name"`
	ID              string          `json:"id"`
	ChainType       ChainType       `json:"chainType"`
	BootNodes       []string        `json:"bootNodes"`
	Telemetry       []Telemetry     `json:"telemetryEndpoints"`
	ProtocolID      *string         `json:"protocolId"`
	ForkID          *string         `json:"forkId,omitempty"`
	Properties      Properties      `json:"properties"`
	ForkBlocks      []ForkBlock     `json:"forkBlocks,omitempty"`
	BadBlocks       []types.Hash    `json:"badBlocks,omitempty"`
	LightSync       *lightSync      `json:"lightSyncState,omitempty"`
	ConsensusEngine *string         `json:"consensusEngine"`
	CodeSubstitutes struct{}        `json:"codeSubstitutes"`
	Genesis         genesisDocument `json:"genesis"`
}

type genesisDocument struct {
	Runtime map[string]json.RawMessage `json:"runtime,omitempty"`
	Raw     *rawDocument               `json:"raw,omitempty"`
}

type rawDocument struct {
	Top             map[string]string `json:"top"`
	ChildrenDefault struct{}          `json:"childrenDefault"`
}

type lightSync struct {
	BabeEpochChanges         string `json:"babeEpochChanges"`
	BabeFinalizedBlockWeight uint32 `json:"babeFinalizedBlockWeight"`
	FinalizedBlockHeader     string `json:"finalizedBlockHeader"`
	GrandpaAuthoritySet      string `json:"grandpaAuthoritySet"`
}

// Encode returns the file of a valid specification: indented JSON that ends in a
// newline. Equal specifications give equal bytes.
func (s *Spec) Encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	d := document{
		Name: s.Name, ID: s.ID, ChainType: s.ChainType,
		BootNodes: append([]string{}, s.BootNodes...), Telemetry: s.Telemetry,
		ProtocolID: optional(s.ProtocolID), ForkID: optional(s.ForkID), Properties: s.Properties,
		ForkBlocks: s.ForkBlocks, BadBlocks: s.BadBlocks,
	}
	if l := s.LightSync; l != nil {
		d.LightSync = &lightSync{
			BabeEpochChanges: toHex(l.BabeEpochChanges), BabeFinalizedBlockWeight: l.BabeFinalizedBlockWeight,
			FinalizedBlockHeader: toHex(l.FinalizedBlockHeader), GrandpaAuthoritySet: toHex(l.GrandpaAuthoritySet),
		}
	}
	if s.IsRaw() {
		top := make(map[string]string, len(s.Genesis.Raw)) // encoding/json sorts it
		for _, kv := range s.Genesis.Raw {
			top[toHex(kv.Key)] = toHex(kv.Value)
		}
		d.Genesis.Raw = &rawDocument{Top: top}
	} else {
		d.Genesis.Runtime = s.Genesis.Runtime
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func toHex(b []byte) string { return "0x" + hex.EncodeToString(b) }
