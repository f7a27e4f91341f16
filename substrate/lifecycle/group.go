package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultGrace is how long the parts of a node have to stop: long enough to
// finish a block and flush the database, shorter than the 90 seconds after
// which service managers kill.
const DefaultGrace = 60 * time.Second

// Group runs the parts of a process until one fails, one panics, or the context
// that it was made with ends. All methods may be called at the same time.
type Group struct {
	// The group starts its parts with this context, so it has to keep it.
	ctx    context.Context
	cancel context.CancelCauseFunc
	grace  time.Duration

	mu       sync.Mutex // guards what follows
	running  []string   // names of parts that have not returned
	err      error      // the first failure
	panicked *PanicError
	idle     chan struct{} // closed while running is empty
}

// NewGroup returns a group whose parts get a context derived from ctx. After that
// context has ended they have grace to return; zero means for ever.
func NewGroup(ctx context.Context, grace time.Duration) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &Group{ctx: ctx, cancel: cancel, grace: grace, idle: make(chan struct{})}
	close(g.idle)
	return g
}

// Go runs f as a part of the group. The group stops if f returns an error, but
// not if f returns nil. An error that only repeats that the group was stopping
// already is no failure. Parts may start further parts.
func (g *Group) Go(name string, f func(ctx context.Context) error) {
	g.mu.Lock()
	if len(g.running) == 0 {
		g.idle = make(chan struct{})
	}
	g.running = append(g.running, name)
	g.mu.Unlock()
	go g.run(name, f)
}

func (g *Group) run(name string, f func(ctx context.Context) error) {
	// Overwritten unless f ends its goroutine with runtime.Goexit.
	var err error = &PanicError{Name: name, Value: "the goroutine ended with runtime.Goexit"}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.orderly(err) {
			g.fail(name, err)
		}
		i := slices.Index(g.running, name)
		if g.running = slices.Delete(g.running, i, i+1); len(g.running) == 0 {
			close(g.idle)
		}
	}()
	err = guard(name, func() error { return f(g.ctx) })
}

// orderly reports whether err is no failure: none at all, or the news that the
// group's context ended.
func (g *Group) orderly(err error) bool {
	if _, ok := errors.AsType[*PanicError](err); ok {
		return false
	}
	ended := g.ctx.Err() != nil
	return err == nil || ended && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(g.ctx)))
}

// fail notes a part's failure and stops the others. g.mu is held.
func (g *Group) fail(name string, err error) {
	if p, ok := errors.AsType[*PanicError](err); ok && g.panicked == nil {
		g.panicked = p
	}
	err = fmt.Errorf("%s: %w", name, err)
	if g.err == nil {
		g.err = err
	}
	g.cancel(err)
}

// Stop asks all parts to return, as the end of the group's context does.
func (g *Group) Stop() { g.cancel(context.Canceled) }

// Wait returns when all parts have, or when they have not within the grace time
// after the group's context ended; then the error is a [*StuckError] joined to
// the failure, if there was one. The error of a part begins with its name. Wait
// returns nil after an orderly stop, and panics with a [*PanicError] if a part
// did.
func (g *Group) Wait() error {
	defer g.cancel(context.Canceled)
	g.mu.Lock()
	idle := g.idle
	g.mu.Unlock()

	select {
	case <-idle:
		return g.result(nil)
	case <-g.ctx.Done():
	}
	if g.grace == 0 {
		<-idle
		return g.result(nil)
	}
	timer := time.NewTimer(g.grace)
	defer timer.Stop()
	select {
	case <-idle:
		return g.result(nil)
	case <-timer.C:
	}
	g.mu.Lock()
	names := slices.Sorted(slices.Values(g.running))
	g.mu.Unlock()
	return g.result(&StuckError{Parts: names, Grace: g.grace})
}

func (g *Group) result(stuck error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.panicked != nil {
		panic(g.panicked)
	}
	if stuck != nil {
		return errors.Join(g.err, stuck)
	}
	return g.err
}

// StuckError says that parts of a group did not return when they were asked to.
type StuckError struct {
	Parts []string      // their names, sorted
	Grace time.Duration // the time they had
}

// Error names the parts.
func (s *StuckError) Error() string {
	return fmt.Sprintf("still running %v after being stopped: %s", s.Grace, strings.Join(s.Parts, ", "))
}
