//go:build !linux

package disk

import (
	"os"
	"syscall"
)

// preallocate makes the file as long as it may become.
func preallocate(f *os.File, size int64) error { return f.Truncate(size) }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }

// pastCache does nothing here.
func pastCache(*os.File, bool) {}

// readPastCache cannot do so here.
func readPastCache(string, []byte, int64) error { return syscall.EINVAL }
