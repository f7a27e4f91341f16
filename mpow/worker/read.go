package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// locate returns the unit and the disk of a place.
func (w *Worker) locate(p *index.Place) (*index.Unit, *disk.Disk, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.units[p.Unit]
	if u == nil {
		return nil, nil, ErrNotFound // not complete yet
	}
	d := w.disk(u.Disk)
	if d == nil {
		return nil, nil, fmt.Errorf("unit %d lies on disk %v: %w", u.Number, disk.ID(u.Disk), disk.ErrVanished)
	}
	return u, d, nil
}

// Get returns a plain block out of sealed storage; ErrNotFound if no file that is held
// has it. If one copy cannot be read, those of other files are tried.
func (w *Worker) Get(ctx context.Context, cid dag.CID) ([]byte, error) {
	return w.Append(ctx, nil, cid)
}

// Append is Get, but appends the block to dst.
func (w *Worker) Append(ctx context.Context, dst []byte, cid dag.CID) ([]byte, error) {
	var last error
	for p, err := range w.db.Places(cid) {
		if err != nil {
			return nil, err
		}
		block, err := w.open(ctx, dst, cid, &p)
		if err == nil {
			return block, nil
		}
		if last == nil || errors.Is(last, ErrNotFound) {
			last = err
		}
	}
	if last == nil {
		last = ErrNotFound
	}
	return nil, fmt.Errorf("block %v: %w", cid, last)
}

// records are memory for records on their way from the disk to the enclave.
var records = sync.Pool{New: func() any { return new([]byte) }}

func (w *Worker) open(ctx context.Context, dst []byte, cid dag.CID, p *index.Place) (block []byte, err error) {
	u, d, err := w.locate(p)
	if err != nil {
		return nil, err
	}
	memory := records.Get().(*[]byte)
	defer records.Put(memory)
	*memory = slices.Grow((*memory)[:0], int(p.Length))
	record := (*memory)[:p.Length]
	if err := d.ReadAt(u.Number, record, p.Offset); err != nil {
		return nil, err
	}
	err = w.pool.with(ctx, func(c *enclave.Client) error {
		var a trusted.OpenAnswer
		if err := c.Call(&trusted.OpenRequest{Unit: u.Desc.ID, Record: record}, &a); err != nil {
			return err
		}
		if a.CID != cid {
			return local(fmt.Errorf("the index leads to block %v", a.CID))
		}
		block = append(dst, a.Block...)
		return nil
	})
	return block, err
}

// Size returns the length of a plain block, without reading it.
func (w *Worker) Size(_ context.Context, cid dag.CID) (int, error) {
	for p, err := range w.db.Places(cid) {
		if err != nil {
			return 0, err
		}
		if _, _, err := w.locate(&p); err == nil {
			return int(p.Size), nil
		}
	}
	return 0, fmt.Errorf("block %v: %w", cid, ErrNotFound)
}

// Has reports whether a file that is held has a block.
func (w *Worker) Has(ctx context.Context, cid dag.CID) (bool, error) {
	_, err := w.Size(ctx, cid)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Delete gives up a file. Its bytes leave the disks once a report without it is final.
func (w *Worker) Delete(_ context.Context, root dag.CID) error {
	f, err := w.markDeleted(root)
	if err != nil {
		return err
	}
	if err := w.deleteInside(f); err != nil {
		return err
	}
	return w.reapFiles()
}

// markDeleted writes down that a file is to leave.
func (w *Worker) markDeleted(root dag.CID) (*index.File, error) {
	w.lines.Lock()
	defer w.lines.Unlock()
	w.mu.Lock()
	id, ok := w.byCID[root.Key()]
	if !ok || w.files[id].Deleted {
		w.mu.Unlock()
		return nil, fmt.Errorf("file %v: %w", root, ErrNotFound)
	}
	f := *w.files[id]
	f.Deleted = true
	w.files[id] = &f
	w.mu.Unlock()
	b := w.db.Batch()
	b.PutFile(&f)
	return &f, b.Commit()
}

// FileState says how far a file is.
type FileState uint8

// The states of files.
const (
	Sealed    FileState = iota // durable; the next report brings it
	Committed                  // in the plan of the chain
	Reported                   // the chain was told
	Leaving                    // deleted: it leaves with the next report
)

// String is the state's word.
func (s FileState) String() string {
	return [...]string{"sealed", "committed", "reported", "leaving"}[s]
}

// FileInfo is a file that is held.
type FileInfo struct {
	Root  dag.CID
	Size  uint64 // measured, in bytes
	State FileState
}

// Files are the files that are held, by root.
func (w *Worker) Files() []FileInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	planned := map[proof.FileID]bool{}
	for _, f := range w.ledger.Files() {
		planned[f.ID] = true
	}
	untold := map[string]bool{}
	for _, c := range w.ledger.Log.Changes() {
		untold[string(c.CID)] = c.Added
	}
	all := make([]FileInfo, 0, len(w.files))
	for id, f := range w.files {
		root, err := dag.ParseCID(f.Entry.CID)
		if err != nil {
			continue // the enclave wrote it: it parses
		}
		i := FileInfo{Root: root, Size: f.Entry.Size, State: Sealed}
		switch {
		case f.Deleted:
			i.State = Leaving
		case planned[id] && untold[string(f.Entry.CID)]:
			i.State = Committed
		case planned[id]:
			i.State = Reported
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b FileInfo) int { return bytes.Compare(a.Root.Bytes(), b.Root.Bytes()) })
	return all
}
