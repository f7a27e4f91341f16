package worker

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
)

// TestMain runs the tests, or, as a child of them, a worker with its enclave.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CRUST_TEST_WORKER"); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashConfig is that of the worker that is killed: many units, and more all the time.
func crashConfig(m *machine) Config {
	cfg := m.config(4000)
	cfg.Filler = 40 * unitLeaves * proof.LeafSize
	return cfg
}

// crashFile is the file of a number: some are smaller than a leaf, some fill units.
func crashFile(n uint64) *graph { return newGraph(n, 1+int(n%7), 500+int(n*7919%90_000)) }

// runChild seals files from a number on, deletes every fifth of them, and signs a
// report now and then, saying on stdout what it was promised, until it is killed.
func runChild(dir string) error {
	t := new(testing.T)
	m := &machine{t: t, dir: dir, chain: prooftest.New()}
	next, err := strconv.ParseUint(os.Getenv("CRUST_TEST_NEXT"), 10, 64)
	if err != nil {
		return err
	}
	block, err := strconv.ParseUint(os.Getenv("CRUST_TEST_BLOCK"), 10, 32)
	if err != nil {
		return err
	}
	m.chain.Block = uint32(block)
	m.chain.Next()
	m.start(crashConfig(m))
	fmt.Println("ready")
	for n := next; ; n++ {
		if err := crashFile(n).seal(m.w); err != nil {
			return err
		}
		fmt.Println("sealed", n)
		if n%5 == 4 {
			fmt.Println("deleting", n-2)
			if err := m.w.Delete(context.Background(), crashFile(n-2).root); err != nil {
				return err
			}
		}
		if n%3 == 2 {
			if err := m.w.Compact(context.Background()); err != nil {
				return err
			}
		}
		if n%4 == 3 {
			if _, err := m.signed(); err != nil {
				return err
			}
		}
	}
}

// kill runs a child for a random time and kills it. It returns what the child said.
func (m *machine) kill(next uint64, after time.Duration) (lines []string) {
	m.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CRUST_TEST_WORKER="+m.dir, fmt.Sprint("CRUST_TEST_NEXT=", next), fmt.Sprint("CRUST_TEST_BLOCK=", m.chain.Block))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	m.ok(err)
	m.ok(cmd.Start())
	s := bufio.NewScanner(out)
	for s.Scan() {
		if s.Text() == "ready" {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
			continue
		}
		lines = append(lines, s.Text())
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		m.t.Fatalf("the child was not killed: %v", err)
	}
	return lines
}

// crash kills a worker some number of times and checks each time that what was
// acknowledged is there and proves, and that nothing else is.
func crash(t *testing.T, times int, seed uint64) {
	m := newMachine(t)
	chance := rand.New(rand.NewPCG(seed, 1))
	held, maybe, next := map[uint64]bool{}, map[uint64]bool{}, uint64(0)
	for range times {
		clear(maybe)
		for _, line := range m.kill(next, time.Duration(chance.IntN(150_000))*time.Microsecond) {
			word, number, _ := strings.Cut(line, " ")
			n, err := strconv.ParseUint(number, 10, 64)
			m.ok(err)
			if word == "sealed" {
				held[n], next = true, n+1
			} else {
				delete(held, n)
				maybe[n] = true
			}
		}
		m.start(crashConfig(m))
		for n := range held {
			if err := crashFile(n).check(m.w); err != nil {
				t.Fatalf("file %d was acknowledged: %v", n, err)
			}
		}
		// The one that was under way is there whole or not at all.
		g := crashFile(next)
		if ok, err := m.w.Has(t.Context(), g.root); err != nil {
			t.Fatal(err)
		} else if ok && m.holds(g) {
			m.ok(g.check(m.w))
			held[next] = true
			next++
		}
		m.chain.Block = m.chain.Block/prooftest.SlotBlocks*prooftest.SlotBlocks + 3*prooftest.SlotBlocks
		if o := m.follow(); o != trusted.Unchanged && o != trusted.Lapsed {
			t.Fatalf("outcome %d", o)
		}
		m.slot()
		m.slot() // what is new is challenged
		for _, f := range m.w.Files() {
			if f.State != Committed {
				t.Fatalf("file %v is %v after two reports", f.Root, f.State)
			}
		}
		if n := len(m.w.Files()); n < len(held) || n > len(held)+len(maybe) {
			t.Fatalf("%d files are held, %d were acknowledged and perhaps %d deleted", n, len(held), len(maybe))
		}
		for n := range maybe {
			if m.holds(crashFile(n)) {
				held[n] = true // killed before the deletion was durable
			}
		}
		m.stop()
	}
	t.Logf("%d files held, %d sealed", len(held), next)
}

// holds reports whether a file is held.
func (m *machine) holds(g *graph) bool {
	for _, f := range m.w.Files() {
		if f.Root == g.root {
			return true
		}
	}
	return false
}

func TestCrash(t *testing.T) { crash(t, 20, 1) }

// TestLongCrash kills a worker 200 times.
func TestLongCrash(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("long; set CRUST_LONG=1")
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	crash(t, 200, seed)
}
