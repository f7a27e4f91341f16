package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	budget := flag.Duration("budget", 3*time.Minute, "time for everything, building included")
	least := flag.Duration("least", 4*time.Second, "least time a target is given")
	only := flag.String("only", "", "fuzz only targets whose name contains this")
	state := flag.String("state", "out/fuzz.json", "file that remembers when a target was last fuzzed")
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	if err := run(root, *only, *state, *budget, *least); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(root, only, state string, budget, least time.Duration) error {
	targets, err := findTargets(root)
	if err != nil {
		return err
	}
	targets = selectTargets(targets, only)
	if len(targets) == 0 {
		return fmt.Errorf("no fuzz target matches %q under %s", only, root)
	}
	last, err := loadState(state)
	if err != nil {
		return err
	}
	now := time.Now()
	order(targets, last, now.UTC().Format(time.DateOnly))
	work, err := os.MkdirTemp("", "fuzz-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	s := session{work: work, deadline: now.Add(budget), binaries: map[string]string{}}
	failed := s.runAll(targets, least, func(t target) {
		last[t.String()] = time.Now().Unix()
	})
	if err := saveState(state, last); err != nil {
		return err
	}
	fmt.Printf("fuzzed %d of %d targets in %.0f s\n", s.done, len(targets), time.Since(now).Seconds())
	if len(failed) > 0 {
		return fmt.Errorf("failing targets: %s", strings.Join(failed, ", "))
	}
	return nil
}

// session is one spending of the budget.
type session struct {
	work     string
	deadline time.Time
	binaries map[string]string // package directory -> instrumented test binary
	done     int
}

func (s *session) runAll(targets []target, least time.Duration, ran func(target)) (failed []string) {
	for i, t := range targets {
		left := time.Until(s.deadline)
		if left < least && s.done > 0 {
			break
		}
		share := max(left/time.Duration(len(targets)-i), least)
		if err := s.fuzz(t, share); err != nil {
			fmt.Printf("FAIL %s: %v\n", t, err)
			failed = append(failed, t.String())
		}
		s.done++
		ran(t)
	}
	return failed
}

// fuzz builds the target's package unless that is done, and runs the target for
// what the build left of its share.
func (s *session) fuzz(t target, share time.Duration) error {
	start := time.Now()
	bin, err := s.build(t.Dir)
	if err != nil {
		return err
	}
	span := max(share-time.Since(start), time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), span+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin,
		"-test.run=^$", "-test.fuzz=^"+t.Name+"$", "-test.fuzztime="+span.Round(time.Second).String(),
		// Minimising, by default a minute for an input, would take all of a target's
		// time where inputs are long.
		"-test.fuzzminimizetime=5x",
		"-test.fuzzcachedir="+filepath.Join(s.work, "corpus"), "-test.parallel=2")
	cmd.Dir = t.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if err != nil && !overran(string(out)) {
		return fmt.Errorf("%w\n%s", err, out)
	}
	fmt.Printf("ok   %s %s\n", t, lastProgress(string(out)))
	return nil
}

func (s *session) build(dir string) (string, error) {
	if bin, ok := s.binaries[dir]; ok {
		if bin == "" {
			return "", fmt.Errorf("%s does not build", dir)
		}
		return bin, nil
	}
	bin := filepath.Join(s.work, fmt.Sprintf("%d.test", len(s.binaries)))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	// The fuzz flag makes the build instrument the code for coverage.
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz=Fuzz", "-o", bin, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.binaries[dir] = ""
		return "", fmt.Errorf("build %s: %w\n%s", dir, err, out)
	}
	s.binaries[dir] = bin
	return bin, nil
}

// overran reports whether a run failed for nothing but that its time ended while a worker was
// in the middle of an input, which Go's fuzzer calls a failure now and then on a busy
// machine. An input that fails is written down.
func overran(out string) bool {
	return strings.Contains(out, "\n    context deadline exceeded\n") && !strings.Contains(out, "Failing input") && !strings.Contains(out, "panic:")
}

// lastProgress returns the closing progress report of a fuzz run.
func lastProgress(out string) string {
	last := "without a progress report"
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "fuzz: elapsed") {
			last = strings.TrimSpace(strings.TrimPrefix(line, "fuzz: "))
		}
	}
	return last
}
