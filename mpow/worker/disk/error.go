package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Kinds of what can be wrong with a disk; errors.Is finds them in an *Error.
var (
	// ErrFull reports that there is no room, by the limit or on the file system.
	ErrFull = errors.New("the disk is full")
	// ErrReadOnly reports a file system that takes no writes.
	ErrReadOnly = errors.New("the disk is read-only")
	// ErrVanished reports a directory that is not the one that it was.
	ErrVanished = errors.New("the disk is not there")
	// ErrRead reports bytes that cannot be read back.
	ErrRead = errors.New("the disk cannot be read")
	// ErrWrite reports a write that failed for another reason.
	ErrWrite = errors.New("the disk cannot be written")
)

// Error is what went wrong on a disk.
type Error struct {
	Dir  string // of the disk
	Do   string // what was attempted
	Kind error  // one of ErrFull, ErrReadOnly, ErrVanished, ErrRead, ErrWrite
	Err  error  // the system's word; may be nil
}

// remedies say what an operator can do about each kind.
var remedies = map[error]string{
	ErrFull:     "give it more room, raise its limit, or add another disk",
	ErrReadOnly: "look at the kernel's log for errors of the device, and mount it for writing again",
	ErrVanished: "mount it again; if it is lost for good, start without it: what it held is declared lost",
	ErrRead:     "look at the kernel's log and the device's SMART data; units that cannot be read leave with the next report",
	ErrWrite:    "look at the kernel's log for errors of the device",
}

// Error says where, what and why, and what to do.
func (e *Error) Error() string {
	s := fmt.Sprintf("disk %s: %s: %v", e.Dir, e.Do, e.Kind)
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s + "; " + remedies[e.Kind]
}

// Unwrap returns kind and cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// kindOf tells from the system's word what is wrong; fallback is for what says nothing.
func kindOf(err, fallback error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return ErrReadOnly
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ESTALE):
		return ErrVanished
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrRead
	}
	return fallback
}

// fail wraps an error of the system.
func (d *Disk) fail(do string, err, fallback error) *Error {
	return &Error{Dir: d.dir, Do: do, Kind: kindOf(err, fallback), Err: err}
}
