package worker

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
)

// TestLyingNode has a node that tells of blocks, records and finality that are none: what is signed for
// it no chain takes, what it proves is refused, and the true chain finds the worker as it was.
func TestLyingNode(t *testing.T) {
	m := newMachine(t)
	m.startFilled(40, 3)
	g := newGraph(1, 3, 70_000)
	m.ok(g.seal(m.w))
	m.slot()
	before := *m.chain.Record
	m.chain.Next()
	for name, s := range map[string]Slot{
		"another block":  {m.chain.Slot, proof.Hash{1}, m.chain.Beacon},
		"another beacon": {m.chain.Slot, m.chain.HashOf(m.chain.Slot), proof.Hash{2}},
		"another slot":   {m.chain.Slot + prooftest.SlotBlocks, m.chain.HashOf(m.chain.Slot), m.chain.Beacon},
	} {
		signed, err := m.w.Heartbeat(t.Context(), m.params(), s)
		m.ok(err)
		if err := m.chain.Report(signed.Message, signed.Signature); !errors.Is(err, prooftest.ErrSlot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	forged := before
	forged.Counter, forged.Plan = 7, proof.EmptyTotals()
	m.chain.Block++
	warp, nodes := m.chain.FinalAs(t, ed25519.FromSeed([32]byte{66}), &forged)
	if _, err := m.w.Follow(warp, nodes, 16); err == nil {
		t.Error("finality without votes was taken")
	}
	warp, _ = m.chain.FinalAs(t, ed25519.FromSeed([32]byte{66}), nil)
	if _, err := m.w.Follow(warp, nil, 16); err == nil {
		t.Error("a warp proof without votes was taken")
	}
	if r, _ := m.w.Record(); r != before {
		t.Fatalf("the worker believes %+v", r)
	}
	s, err := m.signed() // for the true slot
	m.ok(err)
	m.ok(m.chain.Report(s.Message, s.Signature))
	if o := m.follow(); o != trusted.Committed {
		t.Fatalf("outcome %d", o)
	}
	m.ok(g.check(m.w))
	m.slot()
}

// TestReadErrors has units that cannot be read, and one that is torn: they are named, and what is on
// the others is as it was.
func TestReadErrors(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(60)
	m.start(cfg)
	var files []*graph
	for i := range 4 {
		g := newGraph(uint64(i), 2, 50_000)
		m.ok(g.seal(m.w))
		files = append(files, g)
	}
	m.slot()
	units, err := filepath.Glob(filepath.Join(cfg.Disks[0].Dir, "units", "*", "*"))
	m.ok(err)
	if len(units) != 4 {
		t.Fatalf("%d units", len(units))
	}
	m.ok(os.Remove(units[0]))
	m.ok(os.Mkdir(units[0], 0o755)) // reading it is an error
	m.ok(os.Truncate(units[1], proof.LeafSize/2))
	m.slot()
	if len(m.chain.Bad) != 2 {
		t.Fatalf("%d bad units", len(m.chain.Bad))
	}
	readable := 0
	for _, g := range files {
		if err := g.check(m.w); err == nil {
			readable++
		} else if !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	if readable != 2 || len(m.w.Files()) != 2 {
		t.Fatalf("%d files can be read, %d are held", readable, len(m.w.Files()))
	}
	m.tell()
	m.slot()
}

// TestClockJumps looks into the sources: nothing that a storage node proves or keeps depends on the clock of
// the day. Waits and ages go by time.Now and time.Since, which do not jump with it; what would make a
// time of the day of them is used nowhere.
func TestClockJumps(t *testing.T) {
	ofTheDay := map[string]bool{}
	for _, name := range []string{"Unix", "UnixMilli", "UnixMicro", "UnixNano", "Date", "Clock", "Hour", "YearDay", "Weekday", "ModTime", "AppendFormat", "MarshalBinary", "RFC3339", "DateTime"} {
		ofTheDay[name] = true
	}
	for _, dir := range []string{".", "disk", "index", "slots", "reporter", "../trusted", "../proof", "../enclave"} {
		sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(sources) == 0 {
			t.Fatalf("%s: %d sources, %v", dir, len(sources), err)
		}
		for _, name := range sources {
			if strings.HasSuffix(name, "_test.go") || name == "remnant.go" { // the age of what is not finished: a jump costs fetching it again
				continue
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && ofTheDay[s.Sel.Name] {
					t.Errorf("%v is of the time of the day", set.Position(s.Pos()))
				}
				return true
			})
		}
	}
}
