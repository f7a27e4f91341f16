package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// Validate checks everything that [Parse] checks in a file but its form.
func (s *Spec) Validate() error {
	err := firstError(
		label("name", s.Name, true),
		identifier("id", s.ID, false),
		label("chainType", string(s.ChainType), true),
		identifier("protocolId", s.ProtocolID, true),
		identifier("forkId", s.ForkID, true),
		s.checkNodes(), s.checkTelemetry(), s.checkProperties(), s.checkForks(), s.Genesis.check(),
	)
	if err != nil {
		return fmt.Errorf("chain spec: %w", err)
	}
	return nil
}

func firstError(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// label checks a text that people read.
func label(key, text string, required bool) error {
	switch {
	case required && strings.TrimSpace(text) == "":
		return fmt.Errorf("%s: it is empty; write a name", key)
	case len(text) > MaxNameBytes:
		return fmt.Errorf("%s: it has %d bytes; shorten it to %d", key, len(text), MaxNameBytes)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s: it has characters that cannot be shown; use printable text", key)
	}
	return nil
}

// identifier checks a text that becomes part of paths and protocol names.
func identifier(key, text string, optional bool) error {
	if text == "" && optional {
		return nil
	}
	wrong := strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	if wrong || text == "" || len(text) > MaxIDBytes {
		return fmt.Errorf("%s: use 1 to %d of the characters a-z, A-Z, 0-9, '-' and '_' instead of %q", key, MaxIDBytes, text)
	}
	return nil
}

func (s *Spec) checkNodes() error {
	for i, node := range s.BootNodes {
		parts := strings.Split(node, "/")
		n := len(parts)
		if parts[0] != "" || n < 5 || parts[n-2] != "p2p" || slices.Contains(parts[1:], "") || strings.ContainsAny(node, " \t\n") {
			return fmt.Errorf("bootNodes: %s is no address; write it as /dns/<host>/tcp/<port>/p2p/<peer id>", excerpt([]byte(node)))
		}
		if slices.Contains(s.BootNodes[:i], node) {
			return fmt.Errorf("bootNodes: %s is listed twice; keep one of them", excerpt([]byte(node)))
		}
	}
	return nil
}

func (s *Spec) checkTelemetry() error {
	for _, t := range s.Telemetry {
		if t.Address == "" || t.Verbosity > 9 {
			return fmt.Errorf("telemetryEndpoints: %q with verbosity %d: give an address and a verbosity of 0 to 9", t.Address, t.Verbosity)
		}
	}
	return nil
}

func (s *Spec) checkProperties() error {
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !json.Valid(s.Properties[name]) {
			return fmt.Errorf("properties.%s: it is not JSON", name)
		}
	}
	if s.Properties["ss58Format"] != nil {
		if prefix, ok := s.Properties.SS58Format(); !ok || prefix > ss58.MaxPrefix {
			return fmt.Errorf("properties.ss58Format: want one number of 0 to %d, found %s", ss58.MaxPrefix, excerpt(s.Properties["ss58Format"]))
		}
	}
	return nil
}

func (s *Spec) checkForks() error {
	if slices.Contains(s.BadBlocks, types.Hash{}) {
		return errors.New("badBlocks: the zero hash is no block; remove it")
	}
	heights := map[types.BlockNumber]bool{}
	for _, f := range s.ForkBlocks {
		if heights[f.Number] {
			return fmt.Errorf("forkBlocks: block %d is listed twice; keep one of them", f.Number)
		}
		heights[f.Number] = true
		if slices.Contains(s.BadBlocks, f.Hash) {
			return fmt.Errorf("badBlocks: %v is demanded by forkBlocks too; remove one of them", f.Hash)
		}
	}
	return nil
}

func (g *Genesis) check() error {
	if g.Runtime != nil {
		if g.Raw != nil {
			return errors.New("genesis: it has both raw and runtime; keep one of them")
		}
		return g.checkRuntime()
	}
	if len(g.Raw) == 0 {
		return errors.New("genesis.raw.top: the state is empty; a chain needs one to begin with")
	}
	var last []byte
	for _, kv := range g.Raw {
		key := excerpt([]byte(toHex(kv.Key)))
		switch {
		case len(kv.Key) == 0:
			return errors.New("genesis.raw.top: the empty key has no meaning; remove it")
		case bytes.HasPrefix(kv.Key, []byte(":child_storage:")):
			return fmt.Errorf("genesis.raw.top: %s is the root of a child trie, which this chain does not have; remove it", key)
		case bytes.Equal(kv.Key, last):
			return fmt.Errorf("genesis.raw.top: %s appears twice, perhaps in another letter case; keep one of them", key)
		case bytes.Compare(kv.Key, last) < 0:
			return fmt.Errorf("genesis.raw.top: %s is not in key order; sort the entries", key)
		}
		last = kv.Key
	}
	return nil
}

func (g *Genesis) checkRuntime() error {
	names := make([]string, 0, len(g.Runtime))
	for name := range g.Runtime {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if config := g.Runtime[name]; len(config) == 0 || config[0] != '{' || !json.Valid(config) {
			return fmt.Errorf("genesis.runtime.%s: want an object {…}, found %s", name, excerpt(config))
		}
	}
	return nil
}
