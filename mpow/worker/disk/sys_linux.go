package disk

import (
	"errors"
	"io"
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

// readPastCache fills b from a file, past the system's cache. An os.File takes five calls more for
// one read; where it cannot be done it fails with EINVAL.
func readPastCache(path string, b []byte, offset int64) error {
	fd, err := openPastCache(path)
	if err != nil {
		return err
	}
	var n int
	err = ignoringEINTR(func() (err error) {
		n, err = syscall.Pread(fd, b, offset)
		return err
	})
	_ = syscall.Close(fd) // nothing was written
	if err == nil && n < len(b) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// openPastCache opens a file to be read past the system's cache.
func openPastCache(path string) (fd int, err error) {
	err = ignoringEINTR(func() (err error) {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECT|syscall.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

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
