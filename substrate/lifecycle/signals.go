package lifecycle

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ Signal os.Signal }

// Error names the signal.
func (s *SignalError) Error() string { return "stopped by signal: " + s.Signal.String() }

// Is makes the error match [context.Canceled], since stopping on a signal is
// an orderly end.
func (s *SignalError) Is(target error) bool { return target == context.Canceled }

// Signals returns a context that ends, with a [*SignalError] as its cause, when
// the process gets SIGINT or SIGTERM. From then on signals have their default
// effect again, so that a second one kills a process that does not stop.
// notify, which may be nil, is called before the context ends. stop releases
// what Signals holds and ends the context; call it when the work is done.
func Signals(parent context.Context, notify func(os.Signal)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			signal.Stop(signals)
			if notify != nil {
				notify(s)
			}
			cancel(&SignalError{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-ended
	}
}
