package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// result is what one step tested.
type result struct {
	Step    string  `json:"step"`
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped"`
	Seconds float64 `json:"seconds"`
}

// counter turns a command's output into counts, printing what a reader needs.
type counter interface {
	line(line []byte)
	counts() (passed, failed, skipped int)
}

// errFailed says that the summary shows a failure, or nothing at all.
var errFailed = errors.New("the run failed")

func main() {
	err := run(os.Args[1:])
	if errors.Is(err, errFailed) {
		os.Exit(1) // the summary has said so; nothing may follow its closing line
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want a command: step or total")
	}
	switch args[0] {
	case "step":
		return step(args[1:])
	case "total":
		return total(args[1:])
	}
	return fmt.Errorf("unknown command %q: want step or total", args[0])
}

func step(args []string) error {
	flags := flag.NewFlagSet("step", flag.ContinueOnError)
	kind := flags.String("kind", "plain", "how to count: go, node or plain")
	limit := flags.Duration("timeout", 10*time.Minute, "end the command after this long")
	file := flags.String("results", "out/results.jsonl", "file the counts are appended to")
	dir := flags.String("dir", ".", "directory the command runs in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	rest := flags.Args()
	if len(rest) < 3 || rest[1] != "--" {
		return errors.New("usage: testsum step [flags] NAME -- COMMAND [ARG…]")
	}
	res, runErr := execute(rest[0], *kind, *dir, *limit, rest[2:], os.Stdout)
	if err := record(*file, res); err != nil {
		return err
	}
	fmt.Printf("== %-12s %5d passed, %d failed, %d skipped (%.0f s)\n",
		res.Step, res.Passed, res.Failed, res.Skipped, res.Seconds)
	if runErr != nil {
		return fmt.Errorf("%s: %w", res.Step, runErr)
	}
	if res.Failed > 0 {
		return fmt.Errorf("%s: %d failed", res.Step, res.Failed)
	}
	return nil
}

// execute runs argv and counts its output. The result has a failure whenever the
// command did not exit with status 0.
func execute(name, kind, dir string, limit time.Duration, argv []string, out io.Writer) (result, error) {
	var c counter
	switch kind {
	case "go":
		c = newGoCounter(out)
	case "node":
		c = &tapCounter{out: out}
	case "plain":
		c = &plainCounter{out: out}
	default:
		return result{Step: name, Failed: 1}, fmt.Errorf("unknown kind %q", kind)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	lines := &lineWriter{to: c.line}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = lines, lines
	// The command gets its own process group, so that whatever it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	lines.flush()
	if ctx.Err() != nil {
		err = fmt.Errorf("ended after %s", limit)
	}
	res := result{Step: name, Seconds: time.Since(start).Seconds()}
	res.Passed, res.Failed, res.Skipped = c.counts()
	if kind == "plain" && err == nil {
		res.Passed = 1
	}
	if err != nil && res.Failed == 0 {
		res.Failed = 1
	}
	return res, err
}

func record(file string, res result) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(res); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// lineWriter hands complete lines on; both output streams of a command share it.
type lineWriter struct {
	buf []byte
	to  func([]byte)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for {
		i := bytes.IndexByte(w.buf, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.to(w.buf[:i])
		w.buf = w.buf[i+1:]
	}
}

func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.to(w.buf)
		w.buf = nil
	}
}
