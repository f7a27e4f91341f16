package disk

import (
	"errors"
	"os"
	"syscall"
)

// preallocate sets space aside, so that a full disk shows before anything is sealed.
func preallocate(f *os.File, size int64) error {
	err := ignoringEINTR(func() error { return syscall.Fallocate(int(f.Fd()), 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return f.Truncate(size) // a file system that cannot: a full disk shows later
	}
	return err
}

// datasync makes the bytes of a file durable, and its length.
func datasync(f *os.File) error {
	return ignoringEINTR(func() error { return syscall.Fdatasync(int(f.Fd())) })
}

// noCache opens a file so that what is read goes past the system's cache.
const noCache = syscall.O_DIRECT

// pastCache has what is read and written go past the system's cache, or through it again. Where
// a file system cannot, it goes through it.
func pastCache(f *os.File, on bool) {
	flags, _, no := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFL, 0)
	if no != 0 {
		return
	}
	flags &^= syscall.O_DIRECT
	if on {
		flags |= syscall.O_DIRECT
	}
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETFL, flags)
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
