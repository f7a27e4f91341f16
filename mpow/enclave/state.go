package enclave

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Load reads a file that Save wrote; nil if there is none.
func Load(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save replaces a file whole: whatever happens, the old bytes are there or the new
// ones, and the new ones once it has returned.
func Save(path string, b []byte) error {
	return SaveFrom(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// SaveFrom is Save for bytes that are written one after the other.
func SaveFrom(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("saving %s: %w", path, err)
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
