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

// syncFileRangeWrite begins to write pages out without waiting for them.
const syncFileRangeWrite = 2

// beginFlush asks the system to begin writing bytes out. It is only a hint.
func beginFlush(f *os.File, offset, n int64) {
	_ = syscall.SyncFileRange(int(f.Fd()), offset, n, syncFileRangeWrite)
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
