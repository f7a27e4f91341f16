package testnet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tailLines is how much of a node's log an error shows; the rest is in Node.Log.
const tailLines = 25

// Node is one node of a network. It keeps its data when it is killed or stopped.
type Node struct {
	Name string
	ID   string // peer identity
	Log  string // file

	command func() *exec.Cmd
	ready   string // what its log says once it listens

	mu    sync.Mutex                // guards what follows
	run   *run                      // nil while it does not run
	tail  []string                  // the last lines of the log
	moved func(address, rpc string) // where it listens now, as host:port; empty if it does not
}

// run is one process of a node.
type run struct {
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	err     error         // why; to be read after ended
	wanted  bool          // its end is not a surprise
	started bool          // it has said where it listens
	rpc     string        // http address
	metrics string
	api     string // host:port of a storage node's interface
	address string // of peer-to-peer: host:port
}

var (
	rpcWord     = regexp.MustCompile(`rpc=ws://(\S+)`)
	metricsWord = regexp.MustCompile(`metrics=(http://\S+)`)
	apiWord     = regexp.MustCompile(`api=(\S+)`)
	p2pWord     = regexp.MustCompile(`/ip4/127\.0\.0\.1/tcp/(\d+)/p2p/`)
)

// Start starts the node and waits until it listens.
func (n *Node) Start(ctx context.Context) error {
	file, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	r := &run{cmd: n.command(), ended: make(chan struct{})}
	pipe, err := r.cmd.StderrPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	n.mu.Lock()
	n.run = r
	n.mu.Unlock()
	ready := make(chan struct{})
	go func() {
		n.read(r, io.TeeReader(pipe, file), ready)
		r.err = errors.Join(r.cmd.Wait(), file.Close())
		n.moved("", "")
		close(r.ended)
	}()
	select {
	case <-ready:
		n.moved(r.address, strings.TrimPrefix(r.rpc, "http://"))
		return nil
	case <-r.ended:
		return fmt.Errorf("%s ended at its start: %v\n%s", n.Name, r.err, n.Tail())
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s does not listen: %w\n%s", n.Name, context.Cause(ctx), n.Tail()), n.Kill())
	}
}

// read takes what a process writes until it ends.
func (n *Node) read(r *run, output io.Reader, ready chan<- struct{}) {
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			n.mu.Lock()
			n.tail = append(n.tail, line)
			n.tail = n.tail[max(0, len(n.tail)-tailLines):]
			if strings.Contains(line, n.ready) && !r.started {
				r.started = true
				r.rpc, r.metrics = "http://"+word(rpcWord, line), word(metricsWord, line)
				r.api = word(apiWord, line)
				r.address = "127.0.0.1:" + word(p2pWord, line)
				close(ready)
			}
			n.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

func word(r *regexp.Regexp, line string) string {
	if m := r.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// Tail is the end of the node's log.
func (n *Node) Tail() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.tail, "")
}

// running is the node's process, if it has one that listens.
func (n *Node) running() (*run, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.run, n.run != nil && n.run.started
}

// URL is where the node answers RPC, over HTTP with http:// and over WebSocket
// with ws:// in front; empty while it does not run.
func (n *Node) URL(scheme string) string {
	if r, ok := n.running(); ok {
		return scheme + strings.TrimPrefix(r.rpc, "http")
	}
	return ""
}

// Metrics is where the node's metrics are.
func (n *Node) Metrics() string {
	if r, ok := n.running(); ok {
		return r.metrics
	}
	return ""
}

// API is where a storage node tells what it has, over HTTP; empty while it does not run.
func (n *Node) API() string {
	if r, ok := n.running(); ok {
		return "http://" + r.api
	}
	return ""
}

// Freeze stops the node's process where it is, and Thaw lets it go on.
func (n *Node) Freeze() error { return n.signal(syscall.SIGSTOP) }

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(s os.Signal) error {
	r, ok := n.running()
	if !ok {
		return fmt.Errorf("%s does not run", n.Name)
	}
	return r.cmd.Process.Signal(s)
}

// Ended waits until the node's process has ended by itself, and returns what it wrote last.
func (n *Node) Ended(ctx context.Context) (tail string, err error) {
	r, ok := n.running()
	if !ok {
		return n.Tail(), nil
	}
	select {
	case <-r.ended:
		return n.Tail(), nil
	case <-ctx.Done():
		return n.Tail(), fmt.Errorf("%s has not ended: %w", n.Name, context.Cause(ctx))
	}
}

// Address is the multiaddress of the node itself, past all links.
func (n *Node) Address() string {
	r, ok := n.running()
	if !ok {
		return ""
	}
	_, port, _ := strings.Cut(r.address, ":")
	return "/ip4/127.0.0.1/tcp/" + port + "/p2p/" + n.ID
}

// PID is the number of the node's process.
func (n *Node) PID() int {
	r, ok := n.running()
	if !ok {
		return 0
	}
	return r.cmd.Process.Pid
}

// Kill ends the node without a warning.
func (n *Node) Kill() error { return n.end(os.Kill) }

// Stop asks the node to end, and reports if it does so badly.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// stopTimeout is when a node that was asked to stop has not.
const stopTimeout = 40 * time.Second

func (n *Node) end(s os.Signal) error {
	n.mu.Lock()
	r := n.run
	if r != nil {
		r.wanted = true
	}
	n.run = nil
	n.mu.Unlock()
	if r == nil {
		return nil
	}
	_ = r.cmd.Process.Signal(s) // it may have ended
	select {
	case <-r.ended:
	case <-time.After(stopTimeout):
		_ = r.cmd.Process.Kill()
		<-r.ended
		return fmt.Errorf("%s did not stop within %v\n%s", n.Name, stopTimeout, n.Tail())
	}
	if s != os.Kill && r.err != nil {
		return fmt.Errorf("%s ended with %w\n%s", n.Name, r.err, n.Tail())
	}
	return nil
}

// surprise reports a process that ended by itself.
func (n *Node) surprise() error {
	n.mu.Lock()
	r := n.run
	n.mu.Unlock()
	if r == nil {
		return nil
	}
	select {
	case <-r.ended:
		n.mu.Lock()
		defer n.mu.Unlock()
		if !r.wanted {
			return fmt.Errorf("%s has ended: %v", n.Name, r.err)
		}
	default:
	}
	return nil
}
