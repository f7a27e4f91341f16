//go:build !linux

package disk

import "os"

// preallocate makes the file as long as it may become.
func preallocate(f *os.File, size int64) error { return f.Truncate(size) }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }

// beginFlush does nothing here.
func beginFlush(*os.File, int64, int64) {}
