package bench

import (
	"os"
	"syscall"
)

// datasync waits until the bytes of a file are durable.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// forget has the system drop what it has of a file in memory, so that the next read is one
// of the disk.
func forget(f *os.File) error {
	const dontNeed = 4
	if _, _, no := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); no != 0 {
		return no
	}
	return nil
}
