package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
)

// IdleResult is what a development node costs that has nothing to do but to make
// a block a second.
type IdleResult struct {
	Start  time.Duration // from the start of the process, with a fresh database, to the first answer
	RSS    int64         // bytes at the end
	CPU    time.Duration
	Time   time.Duration // over which CPU was measured
	Binary int64         // bytes of the program
}

// Share is the part of one core that the node used.
func (r *IdleResult) Share() float64 { return float64(r.CPU) / float64(r.Time) }

// Idle starts a development chain and lets it run for a while. The first five
// seconds are not counted.
func Idle(ctx context.Context, binary string, d time.Duration) (r IdleResult, err error) {
	info, err := os.Stat(binary)
	if err != nil {
		return r, err
	}
	r.Binary = info.Size()
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	start := time.Now()
	n, err := StartNode(ctx, binary, "dev", filepath.Join(dir, "data"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	cl, err := jsonrpc.Dial(ctx, n.URL, jsonrpc.Config{})
	if err != nil {
		return r, err
	}
	defer cl.Close()
	if err := cl.Call(ctx, "system_chain", nil, nil); err != nil {
		return r, err
	}
	r.Start = time.Since(start)
	if d == 0 {
		return r, nil
	}
	if err := sleep(ctx, 5*time.Second); err != nil {
		return r, err
	}
	before, err := n.CPU()
	if err != nil {
		return r, err
	}
	begin := time.Now()
	if err := sleep(ctx, d); err != nil {
		return r, err
	}
	after, err := n.CPU()
	if err != nil {
		return r, err
	}
	r.CPU, r.Time = after-before, time.Since(begin)
	r.RSS, _, err = n.RSS()
	return r, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
