//go:build !linux

package disk

import "os"

// preallocate makes the file as long as it may become.
func preallocate(f *os.File, size int64) error { return f.Truncate(size) }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }

// pastCache does nothing here.
func pastCache(*os.File, bool) {}

// noCache is no flag here.
const noCache = 0
