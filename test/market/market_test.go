package market

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/test/chaintest"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// patience is when a test that waits for a condition gives up.
const patience = 3 * time.Minute

// slot is the time between blocks.
const slot = time.Second / 2

// world is a network of two validators, and a directory for what commands write.
type world struct {
	*testnet.Net
	t   *testing.T
	ctx context.Context // of the test
	dir string
}

func fileOf(t *testing.T, name string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	return dag.FromSum(dag.DagPB, sum).String()
}

func start(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	n := runtime.Devnet(2)
	n.Preset.SlotDuration = uint64(slot / time.Millisecond)
	spec, err := n.Spec()
	if err != nil {
		t.Fatal(err)
	}
	spec = chaintest.WithStored(t, spec, chaintest.Stored{File: fileOf(t, "held"), Size: 7 << 20, Payer: "//User", Live: []string{"//Charlie", "//Dave"}, Dead: []string{"//Bob"}})
	w := &world{t: t, dir: t.TempDir()}
	if w.Net, err = testnet.New(testnet.Config{Program: program.Path(), Dir: w.dir, Validators: 2, Spec: spec, Args: []string{"--validator"}}); err != nil {
		t.Fatal(err)
	}
	var cancel func()
	w.ctx, cancel = context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	t.Cleanup(func() {
		cancel()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.Start(w.ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

// crust runs a command against the first node, or without any, and returns what it
// writes, and what it says of its failure.
func (w *world) crust(args ...string) (out []byte, failure string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, program.Path(), args...)
	cmd.Dir = w.dir
	url := "ws://127.0.0.1:1" // nobody answers there
	if w.Nodes[0].PID() != 0 {
		url = w.Nodes[0].URL("ws")
	}
	cmd.Env = append(os.Environ(), "CRUST_URL="+url)
	var said bytes.Buffer
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &errs
	if err := cmd.Run(); err != nil {
		return said.Bytes(), fmt.Sprintf("crust %s: %v: %s", strings.Join(args, " "), err, &errs)
	}
	return said.Bytes(), ""
}

func (w *world) must(args ...string) []byte {
	w.t.Helper()
	out, failure := w.crust(args...)
	if failure != "" {
		w.t.Fatalf("%s%s", failure, out)
	}
	return out
}

// proof is what `crust file verify-proof --json` says.
type proof struct {
	CID, Stage, Genesis string
	Size                uint64
	Live, Reported      int
	Block, From         uint32
	ExpiresAt           *uint32
	Time                time.Time
	Expires             *time.Time
	PublicKeys          bool
	Holders             []struct{ Live bool }
}

func (w *world) verify(args ...string) (p proof) {
	w.t.Helper()
	if err := json.Unmarshal(w.must(append([]string{"file", "verify-proof", "--json"}, args...)...), &p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// An order is placed, proven, and the proof holds when the network is gone.
func TestOrderAndProof(t *testing.T) {
	w := start(t)
	fresh, held := fileOf(t, "fresh"), fileOf(t, "held")
	w.must("file", "order", fresh, "5MiB", "--suri", "//User", "--yes", "--prepaid", "1CRU")
	if _, failure := w.crust("file", "proof", held, "-o", "x.proof"); !strings.Contains(failure, "begins no network that ships with this program; say what you trust with --chain SPEC or --checkpoint FILE") {
		t.Errorf("a chain that nobody knows: %s", failure)
	}
	w.must("file", "proof", fresh, "-o", "fresh.proof", "--chain", "spec.json")
	w.must("file", "proof", held, "--chain", "spec.json")
	first := w.verify(held+".proof", "--chain", "spec.json", "--save-checkpoint", "a.checkpoint")
	if _, failure := w.crust("file", "proof", fileOf(t, "none"), "--chain", "spec.json"); !strings.Contains(failure, "the last final one: it was never placed, is not final yet, or is closed") {
		t.Errorf("a file that nobody ordered: %s", failure)
	}
	if err := w.Await(w.ctx, "more final blocks", func(s []testnet.State) bool { return uint32(s[0].Final) > first.Block+2 }); err != nil {
		t.Fatal(err)
	}
	w.must("file", "proof", held, "-o", "later.proof", "--checkpoint", "a.checkpoint")
	var history struct {
		Entries []struct{ Kind, CID, Amount string }
	}
	if err := json.Unmarshal(w.must("file", "history", "//User", "--index", "index", "--json"), &history); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(history.Entries); got != fmt.Sprintf("[{ordered %s } {prepaid %s 1000000000000}]", fresh, fresh) {
		t.Errorf("history: %s", got)
	}
	for _, n := range w.Nodes {
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}

	if first.CID != held || first.Size != 7<<20 || first.Live != 2 || first.Reported != 3 || len(first.Holders) != 3 || first.ExpiresAt == nil || first.From != 0 ||
		!strings.HasPrefix(first.Stage, "live until ") || first.Expires.Sub(first.Time) != time.Duration(*first.ExpiresAt-first.Block)*slot {
		t.Errorf("%+v", first)
	}
	if p := w.verify("fresh.proof", "--chain", "spec.json"); p.CID != fresh || p.Size != 5<<20 || p.Stage != "ordered" || p.Live != 0 || p.ExpiresAt != nil || !p.PublicKeys {
		t.Errorf("%+v", p)
	}
	if p := w.verify("later.proof", "--checkpoint", "a.checkpoint"); p.From != first.Block || p.Block <= first.Block || !p.Time.After(first.Time) || p.Live != 2 || p.Genesis != first.Genesis {
		t.Errorf("%+v", p)
	}
	if _, failure := w.crust("file", "verify-proof", "later.proof", "--chain", "spec.json"); !strings.Contains(failure, "the proof begins at another block") {
		t.Errorf("from another block: %s", failure)
	}
	data, err := os.ReadFile(filepath.Join(w.dir, "fresh.proof"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 1 + len(data)/16 { // each of them: dsm/bundle
		data[i] ^= 0x10
		if err := os.WriteFile(filepath.Join(w.dir, "bad.proof"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, failure := w.crust("file", "verify-proof", "bad.proof", "--chain", "spec.json"); failure == "" {
			t.Errorf("byte %d flipped: %s", i, out)
		}
		data[i] ^= 0x10
	}
}
