package genesisroots

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/trie"
)

// moduleDir is where the module cache holds the chain specifications.
func moduleDir(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", "github.com/ChainSafe/gossamer@v0.9.0")
	cmd.Dir = t.TempDir() // outside any module: no go.mod is to change
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &m); jerr != nil || err != nil || m.Dir == "" {
		t.Fatalf("download the chain specifications: %v %v %s", err, jerr, m.Error)
	}
	return m.Dir
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGenesisRoots(t *testing.T) {
	dir := moduleDir(t)
	for _, c := range []struct {
		chain, root string
		keys        int
	}{
		{"polkadot", "29d0d972cd27cbc511e9589fcb7a4506d5eb6a9e8df205f00472e5ab354a4e17", 11645},
		{"kusama", "b0006203c3a6e6bd2c6a17b1d4ae8ca49a31da0f4579da950b127774b44aef6b", 3419},
	} {
		t.Run(c.chain, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(dir, "chain", c.chain, "chain-spec-raw.json"))
			if err != nil {
				t.Fatal(err)
			}
			var spec struct {
				Genesis struct {
					Raw struct {
						Top map[string]string `json:"top"`
					} `json:"raw"`
				} `json:"genesis"`
			}
			if err := json.Unmarshal(raw, &spec); err != nil {
				t.Fatal(err)
			}
			if n := len(spec.Genesis.Raw.Top); n != c.keys {
				t.Errorf("%d keys, want %d", n, c.keys)
			}
			var entries []trie.KV
			for k, v := range spec.Genesis.Raw.Top {
				entries = append(entries, trie.KV{Key: unhex(t, k), Value: unhex(t, v)})
			}
			root := trie.Root(trie.V0, entries)
			if got := hex.EncodeToString(root[:]); got != c.root {
				t.Errorf("root %s, want %s", got, c.root)
			}
			// The same state as the change of an empty trie, as a block would make it.
			var changes []trie.Change
			for _, e := range trie.SortEntries(entries) {
				changes = append(changes, trie.Change{Key: e.Key, Value: e.Value})
			}
			up, err := trie.Empty(trie.V0).Update(nil, changes, trie.Sequential, 1)
			if err != nil {
				t.Fatal(err)
			}
			if up.Trie.Hash() != root {
				t.Errorf("updated trie has root %x", up.Trie.Hash())
			}
		})
	}
}
