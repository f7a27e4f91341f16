package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/crustgo/crust/node/demo"
	"github.com/crustgo/crust/node/devnet"
)

// basePort is where networks of this process have their ports, which are as many
// as those of two dozen processes.
func basePort() string { return fmt.Sprint(12_000 + os.Getpid()%200*100) }

// devnetResult is what a network costs that has nothing to do.
type devnetResult struct {
	Ready  time.Duration // from the start of the command
	Shares float64       // of a core, all processes together
	RSS    int64         // bytes, the same
}

// runDevnet starts a network by one command, and lets it rest.
func runDevnet(ctx context.Context, binary string, rest time.Duration) (r devnetResult, err error) {
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cmd := exec.CommandContext(ctx, binary, "devnet", "--validators", "4", "--storage", "3", "--gateways", "1", "--base-path", dir, "--base-port", basePort())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	cmd.Stderr = cmd.Stdout
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 30*time.Second
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	lines, last := bufio.NewScanner(out), ""
	for r.Ready == 0 && lines.Scan() {
		if last = lines.Text(); strings.Contains(last, "network is ready") {
			r.Ready = time.Since(start)
		}
	}
	var output sync.WaitGroup
	output.Go(func() {
		for lines.Scan() { // so that it can write
		}
	})
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		output.Wait()
		err = errors.Join(err, cmd.Wait())
	}()
	if r.Ready == 0 {
		return r, fmt.Errorf("the network did not become ready: %s", last)
	}
	file, err := devnet.Load(dir)
	if err != nil {
		return r, err
	}
	if err := sleep(ctx, 10*time.Second); err != nil {
		return r, err
	}
	begin, before := time.Now(), time.Duration(0)
	pids := devnetPIDs(file)
	for _, pid := range pids {
		cpu, err := cpuTimeOf(pid)
		if err != nil {
			return r, err
		}
		before += cpu
	}
	if err := sleep(ctx, rest); err != nil {
		return r, err
	}
	used := -before
	for _, pid := range pids {
		cpu, err := cpuTimeOf(pid)
		if err != nil {
			return r, err
		}
		now, _, err := rssOf(pid)
		if err != nil {
			return r, err
		}
		used, r.RSS = used+cpu, r.RSS+now
	}
	r.Shares = used.Seconds() / time.Since(begin).Seconds()
	return r, nil
}

func devnetPIDs(f *devnet.File) (pids []int) {
	for _, n := range f.Validators {
		pids = append(pids, n.PID)
	}
	for _, n := range f.Storage {
		pids = append(pids, n.PID)
	}
	for _, n := range f.Gateways {
		pids = append(pids, n.PID)
	}
	return pids
}

// devnetSection is a network of one command, at rest.
func devnetSection(ctx context.Context, r *Run) (string, error) {
	d, err := runDevnet(ctx, r.Binary, of(r, []time.Duration{time.Minute}, []time.Duration{5 * time.Second})[0])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("`crust devnet --validators 4 --storage 3 --gateways 1`, all its processes together.\n\n"+
		"| what | measured | limit | ratio |\n|---|---|---|---|\n"+
		"| ready | %.1f s | 30 s | %.2f |\n| processors at rest | %.2f | 1 | %.2f |\n| resident memory at rest | %.2f GB | 1.5 GB | %.2f |\n",
		d.Ready.Seconds(), d.Ready.Seconds()/30, d.Shares, d.Shares, float64(d.RSS)/1e9, float64(d.RSS)/1.5e9), nil
}

// demoSection is the demonstration from its start to its table.
func demoSection(ctx context.Context, r *Run) (string, error) {
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.CommandContext(ctx, r.Binary, "demo", "--json", "--base-path", filepath.Join(dir, "demo"), "--base-port", basePort())
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 30*time.Second
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start).Seconds()
	if err != nil {
		return "", fmt.Errorf("crust demo: %w", err)
	}
	var report demo.Report
	if err := json.Unmarshal(out, &report); err != nil {
		return "", err
	}
	return fmt.Sprintf("`crust demo` with files of its own: %d claims, all held, in %.0f s. The limit is 300 s: %.2f of it.\n", len(report.Claims), took, took/300), nil
}
