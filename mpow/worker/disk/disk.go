package disk

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
)

// Config says where a disk is and how much of it may be used.
type Config struct {
	Dir     string // made if it does not exist
	Limit   uint64 // bytes that units may take; 0: all that there is
	Reserve uint64 // bytes of the file system that stay free
}

// ID names a disk: random, drawn when its directory is first used.
type ID [16]byte

// String is the id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Disk is a directory of units. All methods may be called at the same time.
type Disk struct {
	dir  string
	id   ID
	lock *os.File

	mu      sync.Mutex // guards all below
	limit   uint64
	reserve uint64
	used    uint64            // bytes that units take, those that are being written in full
	files   map[uint64]uint64 // complete units: number to length
	open    map[uint64]bool   // numbers that are being written
	failed  *Error            // why no new units are taken
	changes uint64            // of failed, and units that were removed
}

// manifestName is the file that makes a directory a disk.
const manifestName = "crust-disk.json"

// unitsName is the directory below it that holds units.
const unitsName = "units"

// manifest is what that file says.
type manifest struct {
	Format int    `json:"format"`
	Disk   string `json:"disk"`
	Worker string `json:"worker"`
}

// Open opens a directory for a worker, named by its lineage; one that has no manifest
// and is empty becomes a new disk.
func Open(cfg Config, worker proof.Lineage) (*Disk, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	d := &Disk{dir: dir, limit: cfg.Limit, reserve: cfg.Reserve, files: map[uint64]uint64{}, open: map[uint64]bool{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, d.fail("making the directory", err, ErrWrite)
	}
	if d.id, err = d.identify(worker); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, unitsName), 0o755); err != nil {
		return nil, d.fail("making the directory of units", err, ErrWrite)
	}
	if d.lock, err = lockFile(filepath.Join(dir, "lock")); err != nil {
		return nil, fmt.Errorf("disk %s is in use by another worker, which has to stop first: %w", dir, err)
	}
	if err := d.scan(); err != nil {
		d.lock.Close()
		return nil, err
	}
	return d, nil
}

// identify reads the manifest, or writes that of a new disk.
func (d *Disk) identify(worker proof.Lineage) (ID, error) {
	path := filepath.Join(d.dir, manifestName)
	b, err := enclave.Load(path)
	if err != nil {
		return ID{}, d.fail("reading its manifest", err, ErrRead)
	}
	if b == nil {
		if _, err := os.Stat(filepath.Join(d.dir, unitsName)); err == nil {
			return ID{}, fmt.Errorf("disk %s has units and no %s: put it back from a copy, or empty the directory", d.dir, manifestName)
		}
		var id ID
		if _, err := rand.Read(id[:]); err != nil {
			return ID{}, err
		}
		b, err := json.MarshalIndent(manifest{1, id.String(), hex.EncodeToString(worker[:])}, "", "  ")
		if err != nil {
			return ID{}, err
		}
		if err := enclave.Save(path, append(b, '\n')); err != nil {
			return ID{}, d.fail("writing its manifest", err, ErrWrite)
		}
		return id, nil
	}
	return readManifest(path, b, worker)
}

func readManifest(path string, b []byte, worker proof.Lineage) (id ID, err error) {
	var m manifest
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return id, fmt.Errorf("%s: %w", path, err)
	}
	if m.Format != 1 {
		return id, fmt.Errorf("%s is of format %d, this version reads format 1: use the version of crust that wrote it", path, m.Format)
	}
	raw, err := hex.DecodeString(m.Disk)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%s: %q is no id of a disk", path, m.Disk)
	}
	if want := hex.EncodeToString(worker[:]); m.Worker != want {
		return id, fmt.Errorf("%s: the disk belongs to worker %s, this is %s: give this worker an empty directory", path, m.Worker, want)
	}
	copy(id[:], raw)
	return id, nil
}

// scan finds the units that are there.
func (d *Disk) scan() error {
	root := filepath.Join(d.dir, unitsName)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		no, err := strconv.ParseUint(e.Name(), 16, 64)
		if err != nil || path != d.path(no) {
			return nil // not ours: left alone
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		d.files[no] = uint64(info.Size())
		d.used += uint64(info.Size())
		return nil
	})
	if err != nil {
		return d.fail("listing its units", err, ErrRead)
	}
	return nil
}

// path is where a unit lies: 256 directories keep each of them short.
func (d *Disk) path(no uint64) string {
	return filepath.Join(d.dir, unitsName, fmt.Sprintf("%02x", no&0xff), fmt.Sprintf("%016x", no))
}

// Close lets go of the directory; what is being written is lost.
func (d *Disk) Close() error { return d.lock.Close() }

// ID names the disk.
func (d *Disk) ID() ID { return d.id }

// Dir is the directory.
func (d *Disk) Dir() string { return d.dir }

// Status is how a disk stands.
type Status struct {
	Dir   string
	ID    ID
	Limit uint64 // bytes; 0: all that there is
	Used  uint64 // bytes of units, those that are being written in full
	Free  uint64 // bytes that units may still take
	Units int
	Err   *Error // why it takes no new units; nil if it does
}

// Status returns it.
func (d *Disk) Status() Status {
	free := d.Free()
	d.mu.Lock()
	defer d.mu.Unlock()
	return Status{d.dir, d.id, d.limit, d.used, free, len(d.files), d.failed}
}

// Free is how many bytes units may still take: 0 on a disk that takes none.
func (d *Disk) Free() uint64 {
	total, avail, err := Space(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || d.failed != nil {
		return 0
	}
	limit := d.limit
	if limit == 0 {
		limit = total
	}
	return min(less(limit, d.used), less(avail, d.reserve))
}

func less(a, b uint64) uint64 { return a - min(a, b) }

// Gone reports whether the disk was found not to be there.
func (d *Disk) Gone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed != nil && d.failed.Kind == ErrVanished
}

// Changes counts what may have changed what Gone and Has say of units that are complete.
func (d *Disk) Changes() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// Recheck looks whether the disk is there and takes writes, and lets it take new
// units again if it does.
func (d *Disk) Recheck() error {
	b, err := os.ReadFile(filepath.Join(d.dir, manifestName))
	if err != nil {
		return d.giveUp(d.fail("reading its manifest", err, ErrVanished))
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil || m.Disk != d.id.String() {
		return d.giveUp(&Error{Dir: d.dir, Do: "reading its manifest", Kind: ErrVanished, Err: errors.New("another disk is in its place")})
	}
	probe := filepath.Join(d.dir, "probe")
	if err := enclave.Save(probe, []byte("written to see whether the disk takes writes\n")); err != nil {
		return d.giveUp(d.fail("writing", err, ErrWrite))
	}
	if err := os.Remove(probe); err != nil {
		return d.giveUp(d.fail("writing", err, ErrWrite))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = nil
	d.changes++
	return nil
}

// giveUp takes no new units from now on. A full disk is still good.
func (d *Disk) giveUp(e *Error) error {
	if e.Kind == ErrFull {
		return e
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil || e.Kind == ErrVanished {
		d.failed = e
		d.changes++
	}
	return e
}

// Sweep removes the complete units that keep does not want: what a crash left.
func (d *Disk) Sweep(keep func(no uint64) bool) (removed int, err error) {
	d.mu.Lock()
	var gone []uint64
	for no := range d.files {
		if !keep(no) {
			gone = append(gone, no)
		}
	}
	d.mu.Unlock()
	for _, no := range gone {
		if err := d.Remove(no); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// Has reports whether a unit is there whole: with this many leaves and their rows.
func (d *Disk) Has(no uint64, leaves uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	size, ok := d.files[no]
	return ok && size == FileSize(leaves)
}

// Remove deletes a unit.
func (d *Disk) Remove(no uint64) error {
	if err := os.Remove(d.path(no)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fail(fmt.Sprintf("deleting unit %d", no), err, ErrWrite)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= d.files[no]
	delete(d.files, no)
	d.changes++
	return nil
}
