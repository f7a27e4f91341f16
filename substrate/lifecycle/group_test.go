package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// idle is a part that stops when it is asked to.
func idle(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestGroupFirstErrorStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup(t.Context(), time.Minute)
		var flushed atomic.Bool
		g.Go("store", func(ctx context.Context) error {
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, io.ErrUnexpectedEOF) {
				t.Errorf("cause is %v", cause)
			}
			time.Sleep(time.Second)
			flushed.Store(true)
			return context.Cause(ctx)
		})
		g.Go("p2p", func(context.Context) error {
			time.Sleep(time.Hour)
			return fmt.Errorf("read peer: %w", io.ErrUnexpectedEOF)
		})
		g.Go("rpc", idle)
		g.Go("short", func(context.Context) error { return nil })
		err := g.Wait()
		if err == nil || err.Error() != "p2p: read peer: unexpected EOF" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
		if !flushed.Load() {
			t.Error("Wait did not wait for the part that was stopping")
		}
	})
}

func TestGroupOrderlyStop(t *testing.T) {
	causes := map[string]error{"cancelled": context.Canceled, "signal": &SignalError{}, "own cause": errors.New("upgrade")}
	for name, cause := range causes {
		t.Run(name, func(t *testing.T) {
			if s, ok := cause.(*SignalError); ok {
				s.Signal = testSignal{}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			g := NewGroup(ctx, 0)
			g.Go("a", idle)
			g.Go("b", func(ctx context.Context) error {
				<-ctx.Done()
				return fmt.Errorf("accept: %w", context.Cause(ctx))
			})
			cancel(cause)
			if err := g.Wait(); err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("stop", func(t *testing.T) {
		g := NewGroup(t.Context(), 0)
		g.Go("a", idle)
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("empty", func(t *testing.T) {
		if err := NewGroup(t.Context(), 0).Wait(); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

type testSignal struct{}

func (testSignal) Signal()        {}
func (testSignal) String() string { return "test" }

// A failure while stopping is still a failure.
func TestGroupFailureDuringStop(t *testing.T) {
	g := NewGroup(t.Context(), 0)
	g.Go("store", func(ctx context.Context) error { <-ctx.Done(); return errors.New("disk full") })
	g.Stop()
	if err := g.Wait(); err == nil || err.Error() != "store: disk full" {
		t.Errorf("got %v", err)
	}
}

// Cancelled calls inside a part are failures as long as nobody stopped the group.
func TestGroupForeignCancellation(t *testing.T) {
	g := NewGroup(t.Context(), 0)
	g.Go("rpc", func(context.Context) error { return context.Canceled })
	g.Go("p2p", idle)
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestGroupNamesWhatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := NewGroup(t.Context(), time.Minute)
		for _, name := range []string{"p2p", "gateway"} {
			g.Go(name, func(context.Context) error { <-release; return nil })
		}
		g.Go("rpc", func(context.Context) error { return errors.New("port taken") })
		start := time.Now()
		err := g.Wait()
		stuck, ok := errors.AsType[*StuckError](err)
		if !ok || !slices.Equal(stuck.Parts, []string{"gateway", "p2p"}) {
			t.Errorf("got %v", err)
		}
		if want := "rpc: port taken\nstill running 1m0s after being stopped: gateway, p2p"; err.Error() != want {
			t.Errorf("got %q", err)
		}
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		close(release)
	})
}

func TestGroupPanicIsFatalAfterStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flushed atomic.Bool
		g := NewGroup(t.Context(), time.Minute)
		g.Go("store", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			flushed.Store(true)
			return nil
		})
		g.Go("voter", func(context.Context) error { panicInTest(); return nil })
		p := caught(func() { _ = g.Wait() })
		if p == nil || p.Name != "voter" || !errors.Is(p, io.ErrNoProgress) {
			t.Fatalf("got %v", p)
		}
		if text := p.Error(); !strings.HasPrefix(text, "voter panicked: multiple Read calls") || !strings.Contains(text, "panicInTest") {
			t.Errorf("text is %q", text)
		}
		if !flushed.Load() {
			t.Error("panicked before the other part had stopped")
		}
	})
}

func panicInTest() { panic(io.ErrNoProgress) }

// A panic whose value is a cancellation must not pass for an orderly stop.
func TestGroupPanicWithCancellation(t *testing.T) {
	g := NewGroup(t.Context(), 0)
	g.Go("voter", func(ctx context.Context) error { <-ctx.Done(); panic(ctx.Err()) })
	g.Stop()
	if p := caught(func() { _ = g.Wait() }); p == nil {
		t.Error("the panic was lost")
	}
}

func caught(f func()) (p *PanicError) {
	defer func() { p, _ = recover().(*PanicError) }()
	f()
	return nil
}

func TestGroupGoexitIsAPanic(t *testing.T) {
	g := NewGroup(t.Context(), 0)
	g.Go("part", goexit)
	if p := caught(func() { _ = g.Wait() }); p == nil || p.Name != "part" {
		t.Errorf("got %v", p)
	}
}

// Groups nest: the panic of an inner part keeps its name on the way out.
func TestGroupNested(t *testing.T) {
	g := NewGroup(t.Context(), 0)
	g.Go("outer", func(ctx context.Context) error {
		inner := NewGroup(ctx, 0)
		inner.Go("inner", func(context.Context) error { panic("no") })
		return inner.Wait()
	})
	if p := caught(func() { _ = g.Wait() }); p == nil || p.Name != "inner" {
		t.Errorf("got %v", p)
	}
}

func TestGroupPartsStartParts(t *testing.T) {
	g := NewGroup(t.Context(), 0)
	var ran atomic.Int32
	for range 20 {
		g.Go("parent", func(context.Context) error {
			for range 20 {
				g.Go("child", func(context.Context) error { ran.Add(1); return nil })
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil || ran.Load() != 400 {
		t.Errorf("%d ran, %v", ran.Load(), err)
	}
}
