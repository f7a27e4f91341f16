package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
	"github.com/crustgo/crust/test/program"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// world is a chain with five blocks a second, and a random number generator.
type world struct {
	crust     string // the program, built before anything is measured
	dir, spec string
	net       *chaintest.Net
	rng       *rand.Rand
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	seed, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	t.Logf("SEED=%d", seed)
	w := &world{crust: program.Path(), dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 0))}
	w.net = chaintest.New(t, func(n *runtime.Network) { n.Preset.SlotDuration = 200 })
	if w.spec, err = w.net.WriteSpec(w.dir); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// between is a random time.
func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)))
}

// chain runs a `crust chain` command on a data directory.
func (w *world) chain(t *testing.T, data string, into any, args ...string) {
	t.Helper()
	cmd := w.chainCommand(data, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("crust chain %v: %v\n%s%s", args, err, out, stderr.Bytes())
	}
}

func (w *world) chainCommand(data string, args ...string) *exec.Cmd {
	return exec.Command(w.crust, append([]string{"chain", "--chain", w.spec, "-d", w.path(data), "--json"}, args...)...)
}

// point names a block, as the program's results do.
type point struct {
	Number types.BlockNumber
	Hash   types.Hash
}

// results of the commands.
type (
	exported struct{ Last, Finalised point }
	imported struct {
		Best, Finalised   point
		Imported, Skipped int
	}
	verified struct {
		Blocks    int
		StateKeys int
		Best      point
	}
)

// nodeProcess is a running node.
type nodeProcess struct {
	cmd   *exec.Cmd
	url   chan string // where it listens, once it does
	ended sync.WaitGroup
	mu    sync.Mutex
	log   bytes.Buffer
}

var readyLine = regexp.MustCompile(`rpc=(ws://\S+)`)

// start runs a validator on a data directory.
func (w *world) start(t *testing.T, data string) *nodeProcess {
	t.Helper()
	p := &nodeProcess{url: make(chan string, 1)}
	p.cmd = exec.Command(w.crust, "node", "--chain", w.spec, "--alice", "-d", w.path(data), "--rpc-port", "0", "--no-prometheus")
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.ended.Go(func() { p.read(stderr) })
	return p
}

func (p *nodeProcess) read(r io.Reader) {
	defer close(p.url)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.mu.Lock()
		p.log.Write(append(lines.Bytes(), '\n'))
		p.mu.Unlock()
		if m := readyLine.FindSubmatch(lines.Bytes()); m != nil {
			p.url <- string(m[1])
		}
	}
}

// ready waits until the node listens.
func (p *nodeProcess) ready(t *testing.T) string {
	t.Helper()
	select {
	case url, ok := <-p.url:
		if !ok {
			t.Fatalf("the node ended:\n%s", p.output())
		}
		return url
	case <-time.After(time.Minute):
		p.kill()
		t.Fatalf("the node does not listen:\n%s", p.output())
	}
	return ""
}

// kill ends the node without a warning.
func (p *nodeProcess) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	p.ended.Wait()
	_ = p.cmd.Wait() // "signal: killed"
}

func (p *nodeProcess) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}
