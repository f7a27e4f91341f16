package lifecycle

import (
	"fmt"
	"runtime/debug"
)

// PanicError carries a panic out of the goroutine that it happened in.
type PanicError struct {
	Name  string // the part or computation that panicked
	Value any    // what it panicked with
	Stack []byte // its stack at that point
}

// Error tells what happened, with the stack: it is what the process prints last.
func (p *PanicError) Error() string {
	return fmt.Sprintf("%s panicked: %v\n\n%s", p.Name, p.Value, p.Stack)
}

// Unwrap returns the value of the panic if it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// guard calls f and turns its panic into a [*PanicError], keeping one that comes
// from further inside as it is.
func guard(name string, f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *PanicError:
			err = r
		default:
			err = &PanicError{Name: name, Value: r, Stack: debug.Stack()}
		}
	}()
	return f()
}
