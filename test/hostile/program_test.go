package hostile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/test/program"
)

// process is a running node.
type process struct {
	cmd              *exec.Cmd
	host, url, meter string
	ended            sync.WaitGroup
	mu               sync.Mutex // guards log
	log              bytes.Buffer
}

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

var readyLine = regexp.MustCompile(`rpc=ws://(\S+) metrics=(\S+)`)

func start(t *testing.T) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program.Path(), "node", "--dev", "--rpc-port", "0", "--prometheus-port", "0", "--rpc-methods", "safe")}
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan []string, 1)
	p.ended.Go(func() {
		defer close(ready)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.mu.Lock()
			p.log.Write(append(lines.Bytes(), '\n'))
			p.mu.Unlock()
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m
			}
		}
	})
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		p.ended.Wait()
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("the node ended with %v", err)
		}
		if log := p.output(); strings.Contains(log, "panic") {
			t.Errorf("the node panicked:\n%s", log)
		}
	})
	m, ok := <-ready
	if !ok {
		t.Fatalf("the node ended:\n%s", p.output())
	}
	p.host, p.url, p.meter = m[1], "ws://"+m[1], m[2]
	return p
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// goroutines asks the metrics.
func (p *process) goroutines(t *testing.T) int {
	t.Helper()
	resp, err := http.Get(p.meter)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	_, tail, _ := strings.Cut(string(text), "\ngo_goroutines ")
	if _, err := fmt.Sscan(tail, &n); err != nil {
		t.Fatalf("no go_goroutines in the metrics: %v", err)
	}
	return n
}

// settle waits until there are about as many goroutines as before.
func (p *process) settle(t *testing.T, before int) {
	t.Helper()
	n := 0
	for range 300 { // half a minute: longer than any timeout of the node
		if n = p.goroutines(t); n <= before+10 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, n)
}

// forgetPeak starts measuring anew.
func (p *process) forgetPeak(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// peak is the most memory that the program used since forgetPeak, in MiB.
func (p *process) peak(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, tail, _ := strings.Cut(string(text), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(tail)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n >> 10
}
