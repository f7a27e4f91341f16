package chainspec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/crustgo/crust/substrate/trie"
)

// Parse reads a chain specification of at most [MaxBytes].
func Parse(b []byte) (*Spec, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("chain spec: the file has %d bytes, more than the %d allowed", len(b), MaxBytes)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("chain spec: the file is not UTF-8 text; save it as UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(b, &whole); err != nil {
		return nil, fmt.Errorf("chain spec: not a JSON document: %w", describeSyntax(b, err))
	}
	if err := checkRepeats(b); err != nil {
		return nil, fmt.Errorf("chain spec: %w", err)
	}
	p := parser{}
	s := p.spec(whole)
	if p.err != nil {
		return nil, fmt.Errorf("chain spec: %w", p.err)
	}
	return s, s.Validate()
}

// describeSyntax adds the line to an error of the JSON parser.
func describeSyntax(b []byte, err error) error {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	at := min(int(syntax.Offset), len(b))
	return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:at], []byte("\n")), err)
}

// checkRepeats refuses objects that hold a key twice, anywhere in a document
// that is known to be valid JSON, and nesting beyond maxDepth. encoding/json
// would silently take the last of them.
func checkRepeats(b []byte) error {
	type level struct {
		seen  map[string]bool // nil in an array
		key   string          // the last one read
		value bool            // a value comes next
	}
	var stack []level
	path := func() string {
		var names []string
		for _, l := range stack {
			if l.seen != nil {
				names = append(names, l.key)
			}
		}
		return strings.Join(names, ".")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return nil // the end; syntax has been checked
		}
		delim, _ := token.(json.Delim)
		if delim == '}' || delim == ']' {
			stack = stack[:len(stack)-1]
			continue
		}
		if len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.seen != nil && !top.value {
				top.key, top.value = token.(string), true
				if top.seen[top.key] {
					return fmt.Errorf("%s appears twice in the same object; keep one of them", path())
				}
				top.seen[top.key] = true
				continue
			}
			top.value = false
		}
		switch delim {
		case '{':
			stack = append(stack, level{seen: map[string]bool{}})
		case '[':
			stack = append(stack, level{})
		}
		if len(stack) > maxDepth {
			return fmt.Errorf("%s nests deeper than %d levels", path(), maxDepth)
		}
	}
}

// parser reads the parts of a document; its first error sticks.
type parser struct{ err error }

// failf notes an error at a path of the document.
func (p *parser) failf(path, format string, args ...any) {
	if p.err == nil {
		p.err = errors.New(path + ": " + fmt.Sprintf(format, args...))
	}
}

// object returns the members of a JSON object whose keys must be among known,
// and without those that are null.
func (p *parser) object(path string, raw json.RawMessage, known ...string) map[string]json.RawMessage {
	all := p.open(path, raw)
	keys := make([]string, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !slices.Contains(known, k) {
			p.failf(join(path, k), "unknown key; %s", hint(k, known))
		}
		if string(all[k]) == "null" {
			delete(all, k)
		}
	}
	return all
}

// open returns the members of a JSON object, whatever their keys.
func (p *parser) open(path string, raw json.RawMessage) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &all) != nil {
		p.failf(path, "want an object {…}, found %s", excerpt(raw))
	}
	return all
}

func join(path, key string) string {
	if path == top {
		return key
	}
	return path + "." + key
}

// top is the path of the document itself.
const top = "the file"

// hint says what to do about an unknown key.
func hint(key string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(plain(k), plain(key)) {
			return fmt.Sprintf("did you mean %q?", k)
		}
	}
	return "remove it, or use one of " + strings.Join(known, ", ")
}

func plain(key string) string {
	return strings.NewReplacer("_", "", "-", "", "endpoints", "", "state", "").Replace(key)
}

// excerpt shortens a value for an error.
func excerpt(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	s := []rune(string(raw[:min(len(raw), 200)]))
	if len(s) > 40 {
		return string(s[:40]) + "…"
	}
	return string(s)
}

// read decodes a member into v if it is present; want describes what is expected.
func (p *parser) read(m map[string]json.RawMessage, path, key, want string, v any) {
	raw, ok := m[key]
	if ok && json.Unmarshal(raw, v) != nil {
		p.failf(join(path, key), "want %s, found %s", want, excerpt(raw))
	}
}

func (p *parser) require(m map[string]json.RawMessage, path string, keys ...string) {
	for _, k := range keys {
		if m[k] == nil {
			p.failf(path, "the key %q is missing; add it", k)
		}
	}
}

func (p *parser) spec(raw json.RawMessage) *Spec {
	m := p.object(top, raw, "name", "id", "chainType", "bootNodes", "telemetryEndpoints", "protocolId", "forkId",
		"properties", "codeSubstitutes", "forkBlocks", "badBlocks", "consensusEngine", "lightSyncState", "genesis")
	p.require(m, top, "name", "id", "bootNodes", "genesis")
	s := &Spec{ChainType: Live}
	p.read(m, top, "name", "a string", &s.Name)
	p.read(m, top, "id", "a string", &s.ID)
	p.read(m, top, "bootNodes", "a list of multiaddresses", &s.BootNodes)
	p.read(m, top, "protocolId", "a string", &s.ProtocolID)
	p.read(m, top, "forkId", "a string", &s.ForkID)
	p.read(m, top, "badBlocks", "a list of block hashes", &s.BadBlocks)
	if m["consensusEngine"] != nil {
		p.failf("consensusEngine", "nothing but null is supported; remove the key")
	}
	if subst := m["codeSubstitutes"]; subst != nil && len(p.open("codeSubstitutes", subst)) > 0 {
		p.failf("codeSubstitutes", "the runtime is part of the node, there is no code to substitute; leave it empty")
	}
	if raw := m["chainType"]; raw != nil {
		s.ChainType = p.chainType(raw)
	}
	if raw := m["properties"]; raw != nil {
		s.Properties = p.properties(raw)
	}
	s.Telemetry = p.telemetry(m)
	s.ForkBlocks = p.forkBlocks(m)
	if raw := m["lightSyncState"]; raw != nil {
		s.LightSync = p.lightSync(raw)
	}
	s.Genesis = p.genesis(m["genesis"])
	return s
}

func (p *parser) chainType(raw json.RawMessage) ChainType {
	const want = `want "Live", "Local", "Development" or {"Custom": "…"}`
	var known ChainType
	if json.Unmarshal(raw, &known) == nil {
		if known != Live && known != Local && known != Development {
			p.failf("chainType", want+", found %s", excerpt(raw))
		}
		return known
	}
	var custom string
	p.read(p.object("chainType", raw, "Custom"), "chainType", "Custom", "a string", &custom)
	if c := ChainType(custom); c == "" || c == Live || c == Local || c == Development {
		p.failf("chainType", want+", found %s", excerpt(raw))
	}
	return ChainType(custom)
}

func (p *parser) properties(raw json.RawMessage) Properties {
	all := p.open("properties", raw)
	for name, v := range all { //arch:allow maprange each value is replaced in place, so order cannot show
		all[name] = compact(v)
	}
	return all
}

func (p *parser) telemetry(m map[string]json.RawMessage) []Telemetry {
	const want = `a list of pairs ["address", verbosity]`
	var list []Telemetry
	for _, pair := range p.pairs(m, "telemetryEndpoints", want) {
		var t Telemetry
		if json.Unmarshal(pair[0], &t.Address) != nil || json.Unmarshal(pair[1], &t.Verbosity) != nil {
			p.failf("telemetryEndpoints", "want %s", want)
		}
		list = append(list, t)
	}
	return list
}

func (p *parser) forkBlocks(m map[string]json.RawMessage) []ForkBlock {
	const want = `a list of pairs [number, "hash"]`
	var list []ForkBlock
	for _, pair := range p.pairs(m, "forkBlocks", want) {
		var f ForkBlock
		if json.Unmarshal(pair[0], &f.Number) != nil || json.Unmarshal(pair[1], &f.Hash) != nil {
			p.failf("forkBlocks", "want %s", want)
		}
		list = append(list, f)
	}
	return list
}

func (p *parser) pairs(m map[string]json.RawMessage, key, want string) [][]json.RawMessage {
	var pairs [][]json.RawMessage
	p.read(m, top, key, want, &pairs)
	for _, pair := range pairs {
		if len(pair) != 2 || string(pair[0]) == "null" || string(pair[1]) == "null" {
			p.failf(key, "want %s", want)
			return nil
		}
	}
	return pairs
}

func (p *parser) lightSync(raw json.RawMessage) *LightSyncState {
	const path = "lightSyncState"
	m := p.object(path, raw, "finalizedBlockHeader", "babeEpochChanges", "babeFinalizedBlockWeight", "grandpaAuthoritySet")
	p.require(m, path, "finalizedBlockHeader", "babeEpochChanges", "babeFinalizedBlockWeight", "grandpaAuthoritySet")
	l := &LightSyncState{}
	l.FinalizedBlockHeader = p.hex(m, path, "finalizedBlockHeader")
	l.BabeEpochChanges = p.hex(m, path, "babeEpochChanges")
	l.GrandpaAuthoritySet = p.hex(m, path, "grandpaAuthoritySet")
	p.read(m, path, "babeFinalizedBlockWeight", "a number below 2^32", &l.BabeFinalizedBlockWeight)
	return l
}

func (p *parser) hex(m map[string]json.RawMessage, path, key string) []byte {
	var text string
	p.read(m, path, key, "a string of hexadecimal digits", &text)
	b, err := fromHex(text)
	if err != nil && m[key] != nil {
		p.failf(join(path, key), "%v", err)
	}
	return b
}

// fromHex decodes 0x and an even number of digits of either case.
func fromHex(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return nil, errors.New("hexadecimal digits must begin with 0x")
	}
	b, err := hex.DecodeString(digits)
	if errors.Is(err, hex.ErrLength) {
		return nil, errors.New("the number of hexadecimal digits must be even")
	} else if err != nil {
		return nil, errors.New("after 0x only the digits 0-9 and a-f may follow")
	}
	return b, nil
}

func (p *parser) genesis(raw json.RawMessage) Genesis {
	m := p.object("genesis", raw, "raw", "runtime", "stateRootHash")
	if m["stateRootHash"] != nil {
		p.failf("genesis.stateRootHash", "a node cannot start from a state root alone; use the spec that has genesis.raw")
	}
	switch {
	case m["raw"] != nil && m["runtime"] != nil:
		p.failf("genesis", "it has both raw and runtime; keep one of them")
	case m["raw"] != nil:
		return Genesis{Raw: p.raw(m["raw"])}
	case m["runtime"] != nil:
		pallets := p.open("genesis.runtime", m["runtime"])
		for name, config := range pallets { //arch:allow maprange each value is replaced in place, so order cannot show
			pallets[name] = compact(config)
		}
		return Genesis{Runtime: pallets}
	default:
		p.failf("genesis", `it needs "raw" (the state) or "runtime" (the configuration of the pallets); add one`)
	}
	return Genesis{}
}

func (p *parser) raw(raw json.RawMessage) []trie.KV {
	const path = "genesis.raw"
	m := p.object(path, raw, "top", "childrenDefault")
	p.require(m, path, "top", "childrenDefault")
	if p.err != nil {
		return nil
	}
	if len(p.open(path+".childrenDefault", m["childrenDefault"])) > 0 {
		p.failf(path+".childrenDefault", "this chain has no child tries; leave it empty")
	}
	var state map[string]string
	p.read(m, path, "top", "an object of hexadecimal strings", &state)
	texts := make([]string, 0, len(state))
	for k := range state {
		texts = append(texts, k)
	}
	slices.Sort(texts)
	entries := make([]trie.KV, 0, len(texts))
	for _, text := range texts {
		key, err := fromHex(text)
		if err != nil {
			p.failf(path+".top", "key %s: %v", excerpt([]byte(text)), err)
		}
		value, err := fromHex(state[text])
		if err != nil {
			p.failf(path+".top", "value of %s: %v", excerpt([]byte(text)), err)
		}
		entries = append(entries, trie.KV{Key: key, Value: value})
	}
	slices.SortFunc(entries, func(a, b trie.KV) int { return bytes.Compare(a.Key, b.Key) })
	return entries
}

// compact returns a JSON value without insignificant space.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
