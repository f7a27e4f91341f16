package main

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crustgo/crust/client/clienttest"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// TestStaking runs each script of those who stake against a chain of its own, of
// Crust's runtime with eras of twelve blocks. The script makes them with grow.
func TestStaking(t *testing.T) {
	if testing.Short() {
		t.Skip("many blocks of a whole chain; run without -short")
	}
	files, err := filepath.Glob("testdata/staking/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) { runScript(t, name, startStaking(t), nil) })
	}
}

// runScript runs a script against a node. The script makes blocks with grow.
func runScript(t *testing.T, name string, node *clienttest.Node, env map[string]string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files: []string{name}, UpdateScripts: *update, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"grow": func(ts *testscript.TestScript, _ bool, args []string) {
			n, err := strconv.Atoi(strings.Join(args, " "))
			ts.Check(err)
			ts.Check(node.Grow(n))
		}},
		Setup: func(e *testscript.Env) error {
			e.Setenv("CRUST_URL", node.URL)
			for k, v := range env {
				e.Setenv(k, v)
			}
			return nil
		},
	})
}

// stakers is a network of two validators, of whom no offences are punished, and
// others with money. Dave may have stake behind him without storage, Eve may not.
func stakers(t *testing.T) *chainspec.Spec {
	t.Helper()
	n := runtime.Networks()["dev"]
	n.Validators = []string{"Alice", "Bob"}
	n.Preset.EpochLength = 4
	n.Endowed = nil
	for _, who := range []string{"Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"} {
		n.Endowed = append(n.Endowed, "//"+who, "//"+who+"//stash")
	}
	spec, err := n.Spec()
	if err != nil {
		t.Fatal(err)
	}
	var section map[string]any
	if err := json.Unmarshal(spec.Genesis.Runtime["Staking"], &section); err != nil {
		t.Fatal(err)
	}
	dave, err := crypto.ParseURI("//Dave//stash", crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	section["bootstrapLimits"] = append(section["bootstrapLimits"].([]any), []any{types.AccountID(dave.Account()).String(), "30000000000000000"})
	if spec.Genesis.Runtime["Staking"], err = json.Marshal(section); err != nil {
		t.Fatal(err)
	}
	return spec
}

// startStaking serves the chain of stakers.
func startStaking(t *testing.T) *clienttest.Node {
	t.Helper()
	node := startChain(t, stakers(t))
	node.Override = nodeKeys()
	return node
}

// startChain serves a chain. A block is made by whoever's turn it is.
func startChain(t *testing.T, spec *chainspec.Spec) *clienttest.Node {
	t.Helper()
	rt, raw, err := runtime.Load(spec)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := raw.Entries()
	if err != nil {
		t.Fatal(err)
	}
	p := runtime.PalletsOf(rt)
	return clienttest.Start(t, rt.Frame, state.NewMem(entries), func(view state.View, b *types.Block) ([]state.Change, error) {
		slot := types.Slot(1_700_000_000) + types.Slot(b.Header.Number)
		authors := len(p.Babe.Authorities.Get(rt.Frame.NewEnv(view)))
		claim := babe.PreDigest{Kind: babe.SecondaryPlain, Authority: uint32(slot) % uint32(authors), Slot: slot}
		h := b.Header
		h.Digest = types.Digest{claim.Item()}
		maker, err := rt.Frame.NewBlock(view, &h)
		if err != nil {
			return nil, err
		}
		now := binary.LittleEndian.AppendUint64(nil, uint64(babe.SlotStart(slot, rt.Preset.SlotDuration)))
		if err := maker.Inherents(frame.InherentData{[8]byte([]byte("timstap0")): now}); err != nil {
			return nil, err
		}
		for _, x := range b.Body {
			tx, err := rt.Frame.DecodeTx(x)
			if err != nil {
				return nil, err
			}
			if err := maker.Push(tx); err != nil {
				return nil, err
			}
		}
		body, _, out, err := maker.Finish()
		b.Body = body
		return out.Changes, err
	})
}

// nodeKeys answers as a node with an empty keystore does.
func nodeKeys() func(string, []json.RawMessage) (any, error, bool) {
	var mu sync.Mutex // guards the count of keys that were made
	made := 0
	key := func(n int) string { return "0x" + strings.Repeat("0"+strconv.Itoa(n), 128) }
	return func(method string, params []json.RawMessage) (any, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		switch method {
		case "author_rotateKeys":
			made++
			return key(made), nil, true
		case "author_hasSessionKeys":
			for n := 1; n <= made; n++ {
				if string(params[0]) == strconv.Quote(key(n)) {
					return true, nil, true
				}
			}
			return false, nil, true
		}
		return nil, nil, false
	}
}
