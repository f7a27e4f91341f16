package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/substrate/types"
)

// SubmitCase is one way to send transactions to a node.
type SubmitCase struct {
	Senders     int // accounts that send
	Each        int // transactions of each
	Connections int // WebSocket connections
	InFlight    int // calls of a connection that wait for their answer
}

// SubmitResult is what became of the transactions.
type SubmitResult struct {
	Sent      int
	Finalised int           // found in finalised blocks
	Refused   int           // answers that sent a transaction back for another try
	Rate      float64       // transactions a second, from the first call to the block of the last
	Blocks    int           // with transactions
	Largest   int           // transactions of the fullest block
	StartRSS  int64         // of the node once it is ready, in bytes
	PeakRSS   int64         // the same at its highest, the start included
	EndRSS    int64         // the same at the end
	NodeCPU   time.Duration // of the node, from the first call to the end
	DiskBytes uint64        // of the node's database at the end
}

// Node is a running node of the real program.
type Node struct {
	cmd *exec.Cmd
	Dir string // its base path
	URL string // of its WebSocket RPC

	stderr sync.WaitGroup
}

// StartNode starts the program as the author of a chain. The error says what it
// wrote last.
func StartNode(ctx context.Context, binary, chain, dir string) (*Node, error) {
	n := &Node{Dir: dir}
	n.cmd = exec.CommandContext(ctx, binary, "node", "--chain", chain, "--alice", "--base-path", dir, "--rpc-port", "0", "--no-prometheus")
	n.cmd.Env = append(os.Environ(), "NO_COLOR=1")
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(syscall.SIGTERM) }
	n.cmd.WaitDelay = 20 * time.Second
	pipe, err := n.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	var last atomic.Pointer[string]
	n.stderr.Go(func() {
		defer close(found)
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			line := lines.Text()
			last.Store(&line)
			if _, rest, ok := strings.Cut(line, "rpc="); ok && strings.Contains(line, "node is ready") {
				url, _, _ := strings.Cut(rest, " ")
				found <- url
			}
		}
	})
	if n.URL = <-found; n.URL == "" {
		err := errors.Join(errors.New("the node did not start"), n.Stop())
		if l := last.Load(); l != nil {
			err = fmt.Errorf("%w: %s", err, *l)
		}
		return nil, err
	}
	return n, nil
}

// Stop ends the node and waits for it.
func (n *Node) Stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	n.stderr.Wait()
	return n.cmd.Wait()
}

// RSS is the node's resident memory now and at its highest.
func (n *Node) RSS() (now, peak int64, err error) { return rssOf(n.cmd.Process.Pid) }

// CPU is the CPU time that the node has used.
func (n *Node) CPU() (time.Duration, error) { return cpuTimeOf(n.cmd.Process.Pid) }

// rssOf is the resident memory of a process now and at its highest.
func rssOf(pid int) (now, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		v, _ := strconv.ParseInt(f[1], 10, 64) // lines of other fields are not used
		switch f[0] {
		case "VmRSS:":
			now = v << 10
		case "VmHWM:":
			peak = v << 10
		}
	}
	return now, peak, nil
}

// cpuTimeOf is the CPU time that a process has used.
func cpuTimeOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("the kernel's record of the process is short")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * userTick, errors.Join(err1, err2)
}

// WriteSpec writes the chain specification of a world to a file.
func (w *World) WriteSpec(path string) error {
	b, err := w.Spec.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// Submit sends the transactions of a case to a node of the real program that
// makes a block a second, all of it on the same machine, and waits until they
// are final.
func Submit(ctx context.Context, binary string, c SubmitCase) (r SubmitResult, err error) {
	w, err := NewWorld(c.Senders)
	if err != nil {
		return r, err
	}
	from := make([]int, 0, c.Senders*c.Each)
	for range c.Each {
		for i := range c.Senders {
			from = append(from, i)
		}
	}
	txs, err := w.Sign(from)
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	spec := filepath.Join(dir, "spec.json")
	if err := w.WriteSpec(spec); err != nil {
		return r, err
	}
	n, err := StartNode(ctx, binary, spec, filepath.Join(dir, "data"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	w.Keys, w.Nonces, w.Spec = nil, nil, nil
	if r.StartRSS, _, err = n.RSS(); err != nil {
		return r, err
	}
	before, err := n.CPU()
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the senders, if the rest ends first
	start := time.Now()
	r.Sent = len(txs)
	sent := make(chan error, 1)
	go func() {
		refused, err := send(ctx, n.URL, txs, c)
		r.Refused = refused
		sent <- err
	}()
	if err := r.count(ctx, n.URL, txs, start, sent); err != nil {
		return r, err
	}
	after, err := n.CPU()
	if err != nil {
		return r, err
	}
	r.NodeCPU = after - before
	if r.EndRSS, r.PeakRSS, err = n.RSS(); err != nil {
		return r, err
	}
	r.DiskBytes, err = dirBytes(n.Dir)
	return r, err
}

// send submits the transactions in order and returns how often one was sent back.
func send(ctx context.Context, url string, txs []types.Extrinsic, c SubmitCase) (refused int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, again atomic.Int64
	var tasks sync.WaitGroup
	for range c.Connections {
		cl, err := jsonrpc.Dial(ctx, url, jsonrpc.Config{})
		if err != nil {
			return 0, err
		}
		defer cl.Close()
		for range c.InFlight {
			tasks.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(txs) || ctx.Err() != nil {
						return
					}
					n, err := sendOne(ctx, cl, txs[i])
					again.Add(int64(n))
					if err != nil {
						cancel(fmt.Errorf("transaction %d: %w", i, err))
					}
				}
			})
		}
	}
	tasks.Wait()
	return int(again.Load()), context.Cause(ctx)
}

// codePoolFull is what a node answers when it cannot take more transactions now.
const codePoolFull = 1016

func sendOne(ctx context.Context, cl *jsonrpc.Client, tx types.Extrinsic) (refused int, err error) {
	for {
		err := cl.Call(ctx, "author_submitExtrinsic", []any{jsonrpc.Hex(tx)}, nil)
		var e *jsonrpc.Error
		if !errors.As(err, &e) || e.Code != codePoolFull {
			return refused, err
		}
		refused++
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return refused, ctx.Err()
		}
	}
}

// Blocks in a row without any transaction of the case after which it has failed:
// while senders still try, and once all was sent.
const (
	idleSending = 60
	idleSent    = 15
)

// count reads finalised blocks until all transactions were found.
func (r *SubmitResult) count(ctx context.Context, url string, txs []types.Extrinsic, start time.Time, sent <-chan error) error {
	missing := make(map[types.Hash]struct{}, len(txs))
	for _, tx := range txs {
		missing[tx.Hash()] = struct{}{}
	}
	cl, err := jsonrpc.Dial(ctx, url, jsonrpc.Config{})
	if err != nil {
		return err
	}
	defer cl.Close()
	for number, idle := 1, 0; len(missing) > 0; {
		select {
		case err := <-sent:
			if err != nil {
				return err
			}
			sent = nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		var last struct{ Number jsonHex }
		var head types.Hash
		if err := cl.Call(ctx, "chain_getFinalizedHead", nil, &head); err != nil {
			return err
		}
		if err := cl.Call(ctx, "chain_getHeader", []any{head}, &last); err != nil {
			return err
		}
		for ; number <= int(last.Number); number++ {
			n, err := r.block(ctx, cl, number, missing)
			if err != nil {
				return err
			}
			if idle++; n > 0 {
				idle = 0
			}
			switch {
			case idle >= idleSent && sent == nil:
				return fmt.Errorf("all %d transactions were sent, and %d of them are in no block after %d without any", len(txs), len(missing), idle)
			case idle >= idleSending:
				return fmt.Errorf("senders still try, and %d of %d transactions are in no block after %d without any", len(missing), len(txs), idle)
			}
		}
	}
	r.Rate = float64(r.Finalised) / time.Since(start).Seconds()
	if sent != nil {
		return <-sent
	}
	return nil
}

// block takes the transactions of a block out of missing.
func (r *SubmitResult) block(ctx context.Context, cl *jsonrpc.Client, number int, missing map[types.Hash]struct{}) (int, error) {
	var hash types.Hash
	if err := cl.Call(ctx, "chain_getBlockHash", []any{number}, &hash); err != nil {
		return 0, err
	}
	var b struct {
		Block struct{ Extrinsics []jsonrpc.Hex }
	}
	if err := cl.Call(ctx, "chain_getBlock", []any{hash}, &b); err != nil {
		return 0, err
	}
	n := 0
	for _, x := range b.Block.Extrinsics {
		h := types.Extrinsic(x).Hash()
		if _, ok := missing[h]; ok {
			delete(missing, h)
			n++
		}
	}
	r.Finalised += n
	if r.Largest = max(r.Largest, n); n > 0 {
		r.Blocks++
	}
	return n, nil
}

// jsonHex is a number that JSON writes as hexadecimal text.
type jsonHex uint64

// UnmarshalJSON reads the text.
func (h *jsonHex) UnmarshalJSON(b []byte) error {
	s, err := strconv.Unquote(string(b))
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
	*h = jsonHex(n)
	return err
}
