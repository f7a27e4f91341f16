package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/crustgo/crust/node/devnet"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// Config says what to show.
type Config struct {
	Program  string   // path of the crust program
	BasePath string   // where everything lies; it must not hold a network yet
	BasePort uint16   // of the network
	Files    []string // files and directories to store; none for files of the demonstration's own
	Out      io.Writer
}

// patience is how long one claim may take.
const patience = 4 * time.Minute

// show is a demonstration at work.
type show struct {
	cfg    Config
	began  time.Time
	net    *devnet.File
	report Report

	mu sync.Mutex // guards report.Claims and Out
}

// Run shows everything. The error says what kept it from going on; whether the claims held
// is in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	s := &show{cfg: cfg, began: time.Now(), report: Report{BasePath: cfg.BasePath}}
	err := s.run(ctx)
	s.report.Seconds = time.Since(s.began).Seconds()
	return &s.report, err
}

func (s *show) run(ctx context.Context) error {
	if len(s.cfg.Files) == 0 {
		s.say("making files to store: nothing, a byte, 5 MiB, 256 MiB of mostly holes, an album of 200")
		var err error
		if s.cfg.Files, err = ownFiles(filepath.Join(s.cfg.BasePath, "files")); err != nil {
			return err
		}
	}
	for _, path := range s.cfg.Files {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w; name files and directories that can be read", err)
		}
	}
	// The network outlives the show, and is stopped after it.
	g := lifecycle.NewGroup(context.WithoutCancel(ctx), lifecycle.DefaultGrace)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.Go("network", func(ctx context.Context) error {
		c := devnet.Default()
		c.Program, c.BasePath, c.BasePort, c.Log = s.cfg.Program, filepath.Join(s.cfg.BasePath, "network"), s.cfg.BasePort, "info"
		err := devnet.Run(ctx, c)
		if err != nil {
			cancel(err)
		}
		return err
	})
	err := s.acts(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	g.Stop()
	return errors.Join(err, g.Wait())
}

// acts are what is shown, one after the other.
func (s *show) acts(ctx context.Context) error {
	for _, act := range []func(context.Context) error{
		s.start, s.guarantee, s.upload, s.store, s.limits, s.fetch, s.prove, s.pay, s.pinned, s.kill,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Out != nil {
		fmt.Fprintf(s.cfg.Out, "%5.0f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
	}
}

// claim notes whether something held.
func (s *show) claim(held bool, claim, evidence string, args ...any) {
	c := Claim{Claim: claim, Evidence: fmt.Sprintf(evidence, args...), Held: held, Seconds: time.Since(s.began).Seconds()}
	mark := "ok"
	if !held {
		mark = "NO"
	}
	s.say("%s: %s (%s)", mark, claim, c.Evidence)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Claims = append(s.report.Claims, c)
}

// judge notes a claim that held unless there is an error.
func (s *show) judge(err error, claim, evidence string, args ...any) {
	if err != nil {
		s.claim(false, claim, "%v", err)
		return
	}
	s.claim(true, claim, evidence, args...)
}

// command is a command of the program against the first validator.
func (s *show) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.cfg.Program, args...)
	cmd.Env = append(os.Environ(), "CRUST_URL="+s.net.Validators[0].RPC)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// crust runs a command that writes JSON, and reads the last value that it wrote.
func (s *show) crust(ctx context.Context, into any, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := s.command(ctx, append(args, "--json")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("crust %s: %w: %s", strings.Join(args[:min(len(args), 3)], " "), err, lastLine(errs.String()))
	}
	if into == nil {
		return nil
	}
	d := json.NewDecoder(&out)
	for {
		var v json.RawMessage
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := json.Unmarshal(v, into); err != nil {
			return err
		}
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "Error: ")
}

// until asks again and again, until it is so or too much time has passed.
func until(ctx context.Context, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := ask(ctx)
		if err == nil && ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", patience, errors.Join(err, context.Cause(ctx)))
		case <-time.After(time.Second):
		}
	}
}
