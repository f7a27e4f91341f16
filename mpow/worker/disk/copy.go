package disk

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/crustgo/crust/mpow/enclave"
)

// copiesName is the directory that holds copies of what a worker knows of its units.
const copiesName = "copies"

// SaveCopy writes a copy, under a name of its own, whole or not at all; it is durable
// when SaveCopy returns.
func (d *Disk) SaveCopy(name string, write func(io.Writer) error) error {
	dir := filepath.Join(d.dir, copiesName)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = enclave.SaveFrom(filepath.Join(dir, name), write)
	}
	if err != nil {
		return d.giveUp(d.fail("writing a copy of the index", err, ErrWrite))
	}
	return nil
}

// Copies are the names of the copies, in order.
func (d *Disk) Copies() (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(d.dir, copiesName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, d.fail("listing the copies of the index", err, ErrRead)
	}
	for _, e := range entries {
		if !strings.Contains(e.Name(), ".new-") { // what a crash left of one
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// ReadCopy reads a copy.
func (d *Disk) ReadCopy(name string, read func(io.Reader) error) error {
	f, err := os.Open(filepath.Join(d.dir, copiesName, name))
	if err != nil {
		return d.fail("reading a copy of the index", err, ErrRead)
	}
	defer f.Close()
	return read(bufio.NewReader(f))
}

// RemoveCopy deletes a copy; one that is not there is no error.
func (d *Disk) RemoveCopy(name string) error {
	if err := os.Remove(filepath.Join(d.dir, copiesName, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fail("deleting a copy of the index", err, ErrWrite)
	}
	return nil
}
