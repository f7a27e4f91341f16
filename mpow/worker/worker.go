package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// Config says with what a worker works.
type Config struct {
	Socket     string        // of the enclave
	State      string        // file of the enclave's sealed state
	Dir        string        // where the index lies
	UnitLeaves uint32        // leaves of a filler unit, by the chain
	Disks      []disk.Config // at least one
	Filler     uint64        // bytes of free space to prove, as far as the disks have them
	Headroom   uint64        // bytes that fillers leave free for files; 0: four units
	Lanes      int           // files that are written at the same time; 0: one a processor
	Checkpoint time.Duration // after which a unit is made durable though it is not full; 0: ten minutes
	Log        *slog.Logger

	compactEvery time.Duration // for tests; 0: compactEvery
}

func (c *Config) validate() error {
	if c.Lanes == 0 {
		c.Lanes = max(2, runtime.GOMAXPROCS(0))
	}
	if c.Checkpoint == 0 {
		c.Checkpoint = 10 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.compactEvery == 0 {
		c.compactEvery = compactEvery
	}
	switch {
	case c.UnitLeaves == 0 || c.UnitLeaves > proof.MaxUnitLeaves:
		return fmt.Errorf("worker: units of %d leaves, a unit has 1 to %d", c.UnitLeaves, proof.MaxUnitLeaves)
	case len(c.Disks) == 0:
		return errors.New("worker: no disk is given; name a directory for sealed data")
	case c.Lanes < 0 || c.Lanes > maxLanes:
		return fmt.Errorf("worker: %d files at the same time, at most %d", c.Lanes, maxLanes)
	}
	if c.Headroom == 0 {
		c.Headroom = 4 * disk.FileSize(c.UnitLeaves)
	}
	return nil
}

// maxLanes leaves the enclave's other connections for filling and reading.
const maxLanes = 32

// Worker is the host of an enclave: it has the disks. All methods may be called at the
// same time, but for Heartbeat, Loss and Follow, which are one caller's.
type Worker struct {
	cfg     Config
	id      trusted.Identity // its names never change
	db      *index.DB
	control *conn // for what is one thing at a time
	pool    *pool // for reading and checking
	lanes   []*lane
	wake    chan struct{}   // tells the fillers that something changed
	asked   []trusted.Asked // by the last challenge; of Heartbeat and Loss alone
	readers []*disk.Reader  // of the leaves that a slot asks for; kept, since new memory takes the system more than reading into it

	// closing is held for reading from before the enclave may close a unit until that is durable, or given
	// up, and for writing while the enclave fixes the step of a report, which has all units that are
	// closed: what is signed is on the disks. Taken before all other locks but those of lanes.
	closing sync.RWMutex

	lines sync.Mutex  // held while the lines of files change, in the index and here; taken before mu
	group index.Group // for whom it counts, as it was told last; guarded by lines

	mu     sync.Mutex // guards all below
	disks  []*disk.Disk
	next   uint64 // number of the next unit
	units  map[uint64]*index.Unit
	byID   map[proof.UnitID]*index.Unit
	files  map[proof.FileID]*index.File
	byCID  map[string]proof.FileID
	tally  tally                // of units
	absent absent               // what the disks did not have of the plan when it was looked for last
	parts  map[proof.UnitID]int // sealings, files and remnants that need a data unit
	record proof.Record         // the last one known to be final
	ledger proof.Ledger         // what it commits to
	before proof.Ledger         // that of the counter before
	final  uint32               // number of the last block known to be final
	loaded bool                 // the enclave has the ledger
	// what is on its way
	tasks    map[*Sealing]bool
	remnants map[string]*remnant // by root
	making   uint64              // bytes of fillers
	dropping map[proof.UnitID]bool
	promised uint64                // bytes of files that are being sealed, at most
	demand   uint64                // bytes that a file was refused for
	waited   int                   // reports since then
	bad      map[proof.UnitID]bool // units of which a leaf could not be shown
}

// Open connects to the enclave, opens disks and index, and gives the enclave back what
// it had: plan, files and log, and what no report carried yet. If the enclave's state
// is older than the chain's (see Loaded), the next Follow completes that.
func Open(ctx context.Context, cfg Config) (w *Worker, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w = &Worker{cfg: cfg, wake: make(chan struct{}, 1), units: map[uint64]*index.Unit{}, byID: map[proof.UnitID]*index.Unit{}, files: map[proof.FileID]*index.File{},
		byCID: map[string]proof.FileID{}, parts: map[proof.UnitID]int{}, tasks: map[*Sealing]bool{}, remnants: map[string]*remnant{}, dropping: map[proof.UnitID]bool{}, bad: map[proof.UnitID]bool{}}
	opened := w // the result is nil when it fails
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	if w.control, w.id, err = dial(ctx, cfg.Socket, cfg.UnitLeaves); err != nil {
		return nil, err
	}
	if w.pool, err = newPool(ctx, &cfg, runtime.GOMAXPROCS(0)); err != nil {
		return nil, err
	}
	for range cfg.Lanes {
		l := &lane{w: w, sealings: map[*Sealing]bool{}}
		if l.c, err = dialShared(ctx, &cfg); err != nil {
			return nil, err
		}
		w.lanes = append(w.lanes, l)
	}
	if err := w.openDisks(); err != nil {
		return nil, err
	}
	if err := w.openIndex(filepath.Join(cfg.Dir, "index")); err != nil {
		return nil, err
	}
	for _, d := range w.disks {
		if err := w.sweep(d); err != nil {
			return nil, err
		}
	}
	if err := w.load(); err != nil && !errors.Is(err, ErrOtherPlan) {
		return nil, err
	}
	return w, nil
}

// Close ends the connections and closes disks and index. What is being sealed is lost.
func (w *Worker) Close() error {
	var all []error
	if w.control != nil {
		all = append(all, w.control.close())
	}
	if w.pool != nil {
		all = append(all, w.pool.close())
	}
	for _, l := range w.lanes {
		all = append(all, l.close())
	}
	for _, r := range w.readers {
		r.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.disks {
		all = append(all, d.Close())
	}
	w.disks = nil
	if w.db != nil {
		all = append(all, w.db.Close())
		w.db = nil
	}
	return errors.Join(all...)
}

// openIndex opens the index, which is made again if it is gone.
func (w *Worker) openIndex(dir string) error {
	there, err := index.Exists(dir)
	if err != nil {
		return err
	}
	if !there {
		w.record = w.id.Record
		if err := w.rebuild(dir); err != nil {
			return err
		}
	}
	if w.db, err = index.Open(dir, w.id.Lineage, w.cfg.Log); err != nil {
		return err
	}
	return w.readIndex()
}

// readIndex reads units and files into memory.
func (w *Worker) readIndex() error {
	for u, err := range w.db.Units() {
		if err != nil {
			return fmt.Errorf("reading the index: %w", err)
		}
		w.putUnit(u)
		w.next = max(w.next, u.Number+1)
	}
	for f, err := range w.db.Files() {
		if err != nil {
			return fmt.Errorf("reading the index: %w", err)
		}
		w.addFile(f)
	}
	err := w.readRemnants()
	if err == nil {
		w.group, err = w.db.Group()
	}
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	return nil
}

// addFile notes a file, with mu held or before anybody else knows w.
func (w *Worker) addFile(f *index.File) {
	w.files[f.Entry.ID] = f
	w.byCID[string(f.Entry.CID)] = f.Entry.ID
	for _, p := range f.Entry.Parts {
		w.parts[p.Unit]++
	}
}

// removeFile forgets a file, with mu held.
func (w *Worker) removeFile(f *index.File) {
	delete(w.files, f.Entry.ID)
	if w.byCID[string(f.Entry.CID)] == f.Entry.ID {
		delete(w.byCID, string(f.Entry.CID))
	}
	for _, p := range f.Entry.Parts {
		w.release(p.Unit)
	}
}

// release notes that something needs a unit no more, with mu held.
func (w *Worker) release(id proof.UnitID) {
	if w.parts[id]--; w.parts[id] <= 0 {
		delete(w.parts, id)
	}
}

// AddDisk takes a directory into use, also while the worker runs, and removes what
// a crash left there.
func (w *Worker) AddDisk(cfg disk.Config) error {
	d, err := disk.Open(cfg, w.id.Lineage)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.sweep(d); err != nil {
		d.Close()
		return err
	}
	w.disks = append(w.disks, d)
	w.poke()
	return nil
}

// sweep removes units from a disk that the index does not know, with mu held or before anybody
// else knows w.
func (w *Worker) sweep(d *disk.Disk) error {
	removed, err := d.Sweep(func(no uint64) bool { u := w.units[no]; return u != nil && u.Disk == d.ID() })
	if removed > 0 {
		w.cfg.Log.Info("removed units that were not complete", "disk", d.Dir(), "units", removed)
	}
	return err
}

// Disks tells how each disk stands.
func (w *Worker) Disks() []disk.Status {
	w.mu.Lock()
	disks := w.disks
	w.mu.Unlock()
	var all []disk.Status
	for _, d := range disks {
		all = append(all, d.Status())
	}
	return all
}

// Identity is what the enclave said of itself when the worker was opened; key, lineage,
// account and genesis never change.
func (w *Worker) Identity() trusted.Identity { return w.id }

// poke wakes whoever makes fillers.
func (w *Worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// disk returns an open disk by its id, with mu held.
func (w *Worker) disk(id disk.ID) *disk.Disk {
	for _, d := range w.disks {
		if d.ID() == id {
			return d
		}
	}
	return nil
}

// free is how many bytes the disks still take, with mu held.
func (w *Worker) free() uint64 {
	var sum uint64
	for _, d := range w.disks {
		sum += d.Free()
	}
	return sum
}

// create begins a unit on the disk with the most room; the next best is asked if one refuses.
func (w *Worker) create() (*disk.Writer, error) {
	w.mu.Lock()
	no := w.next
	w.next++
	disks := append([]*disk.Disk(nil), w.disks...)
	w.mu.Unlock()
	var last error = ErrNoSpace
	for len(disks) > 0 {
		best := 0
		for i := range disks {
			if disks[i].Free() > disks[best].Free() {
				best = i
			}
		}
		u, err := disks[best].Create(no, w.cfg.UnitLeaves)
		if err == nil {
			return u, nil
		}
		last = err
		disks = append(disks[:best], disks[best+1:]...)
	}
	return nil, last
}

// complete makes a unit durable and notes it, with what b has: bytes first, then the index.
func (w *Worker) complete(u *disk.Writer, kind proof.Kind, c *trusted.Closed, b *index.Batch) (*index.Unit, error) {
	if err := u.Close(c.Unit.Root); err != nil {
		return nil, err
	}
	row := &index.Unit{Number: u.Number(), Disk: u.Disk().ID(), Kind: kind, Desc: c.Unit, Ticket: c.Ticket}
	b.PutUnit(row)
	if err := b.Commit(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.putUnit(row)
	return row, nil
}
