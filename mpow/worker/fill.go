package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// recheckEvery is how often a disk that refused a write is asked again, and how long
// at most a filler waits for a reason to go on.
const recheckEvery = 30 * time.Second

// fillLeaves is how many leaves come in one answer: as many as shared memory has room for, since
// waiting for each other takes time of both sides.
const fillLeaves = 60

// Run makes filler units up to the target, and merges data units, until ctx ends. It returns an error if the
// enclave is gone; a disk that fails is left out and asked again from time to time.
func (w *Worker) Run(ctx context.Context) error {
	g := lifecycle.NewGroup(ctx, 0)
	g.Go("disks", w.recheck)
	g.Go("enclave", w.watch)
	g.Go("merging units", w.compact)
	for i := range runtime.GOMAXPROCS(0) {
		g.Go(fmt.Sprintf("filler %d", i), w.fill)
	}
	return g.Wait()
}

// watchEvery is how often the enclave is asked who it is, if only to see that it answers.
const watchEvery = 30 * time.Second

// watch returns an error once the enclave does not answer, though nobody needs it now.
func (w *Worker) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
		if _, err := w.identity(); errors.Is(err, ErrEnclave) {
			return err
		}
	}
}

// recheck asks disks that failed again.
func (w *Worker) recheck(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(recheckEvery):
		}
		w.mu.Lock()
		disks := w.disks
		w.mu.Unlock()
		for _, d := range disks {
			if d.Status().Err == nil {
				continue
			}
			if err := d.Recheck(); err != nil {
				w.cfg.Log.Warn("a disk is still out of use", "disk", d.Dir(), "err", err)
				continue
			}
			w.cfg.Log.Info("a disk is in use again", "disk", d.Dir())
			w.poke()
		}
	}
}

// fill makes one filler after the other.
func (w *Worker) fill(ctx context.Context) error {
	var c *conn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for {
		if !w.takeFill() {
			select {
			case <-ctx.Done():
				return nil
			case <-w.wake:
			case <-time.After(recheckEvery):
			}
			continue
		}
		w.poke() // others may find something to do as well
		if c == nil {
			var err error
			if c, err = dialShared(ctx, &w.cfg); err != nil {
				w.gaveFill()
				return err
			}
		}
		err := c.with(func(cl *enclave.Client) error { return w.fillUnit(ctx, cl) })
		w.gaveFill()
		if errors.Is(err, ErrEnclave) {
			return err
		}
		if err != nil {
			c.close() // the enclave forgets the unit that is not complete
			c = nil
			if ctx.Err() != nil {
				return nil
			}
			w.cfg.Log.Warn("a filler could not be made", "err", err)
			select { // no faster than a disk can be looked at
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
		}
	}
}

// unitBytes is the leaves of a filler.
func (w *Worker) unitBytes() uint64 { return uint64(w.cfg.UnitLeaves) * proof.LeafSize }

// takeFill reports whether another filler is wanted and sets room for it aside.
func (w *Worker) takeFill() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := disk.FileSize(w.cfg.UnitLeaves)
	if !w.loaded || w.fillers()+w.making+w.unitBytes() > w.cfg.Filler || w.free() < w.making+w.cfg.Headroom+w.promised+w.demand+size {
		return false
	}
	w.making += w.unitBytes()
	return true
}

func (w *Worker) gaveFill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.making -= w.unitBytes()
}

// SetFiller changes how many bytes of free space are to be proven. Fillers that are
// too many leave with the next report.
func (w *Worker) SetFiller(bytes uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cfg.Filler = bytes
	w.poke()
}

// fillUnit makes one filler.
func (w *Worker) fillUnit(ctx context.Context, c *enclave.Client) error {
	u, err := w.create()
	if err != nil {
		return local(err)
	}
	done := false
	for offset := uint64(0); !done; {
		if err := ctx.Err(); err != nil {
			u.Discard()
			return local(err)
		}
		var n uint64
		if n, done, err = w.fillSome(c, u, offset); err != nil {
			u.Discard()
			return err
		}
		offset += n
	}
	return nil
}

// fillSome writes the next bytes of a filler, and completes it with the last.
func (w *Worker) fillSome(c *enclave.Client, u *disk.Writer, offset uint64) (n uint64, done bool, err error) {
	w.closing.RLock()
	defer w.closing.RUnlock()
	var a trusted.FillAnswer
	if err := c.Call(&trusted.FillRequest{Leaves: fillLeaves}, &a); err != nil {
		return 0, false, err
	}
	if err := u.Append(offset, a.Bytes, a.Hashes); err != nil {
		return 0, false, local(err)
	}
	if a.Closed != nil {
		_, err = w.complete(u, proof.Filler, a.Closed, w.db.Batch())
	}
	return uint64(len(a.Bytes)), a.Closed != nil, local(err)
}
