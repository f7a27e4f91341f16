package lifecycle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// The tests signal a process of their own: this binary with childVar set.
const childVar = "CRUST_LIFECYCLE_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childVar); mode != "" {
		os.Exit(child(mode))
	}
	os.Exit(m.Run())
}

// child runs a group until it is signalled; in mode "stuck" a part ignores that.
func child(mode string) int {
	ctx, stop := Signals(context.Background(), func(s os.Signal) { fmt.Println("notified:", s) })
	defer stop()
	g := NewGroup(ctx, 0)
	g.Go("idle", idle)
	g.Go("stopping", func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("cause:", context.Cause(ctx))
		if mode == "stuck" {
			select {}
		}
		return ctx.Err()
	})
	if err := g.Wait(); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Println("stopped")
	return 0
}

func start(t *testing.T, mode string) (*exec.Cmd, func(want string)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	return cmd, func(want string) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("output ended, want %q", want)
		}
		if got := lines.Text(); !strings.HasPrefix(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestSignalStopsInOrder(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			cmd, line := start(t, "orderly")
			line("ready")
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			line("notified: " + s.String())
			line("cause: stopped by signal: " + s.String())
			line("stopped")
			if err := cmd.Wait(); err != nil {
				t.Errorf("child: %v", err)
			}
		})
	}
}

func TestSecondSignalKills(t *testing.T) {
	cmd, line := start(t, "stuck")
	line("ready")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	line("notified: terminated")
	line("cause: stopped")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Success() {
		t.Fatalf("child ended with %v", err)
	}
	if status := exit.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("child ended with %v", err)
	}
}

func TestSignalsStop(t *testing.T) {
	ctx, stop := Signals(t.Context(), nil)
	stop()
	stop()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		t.Errorf("cause is %v", cause)
	}
}
