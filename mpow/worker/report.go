package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// Slot is a slot of reports, as the chain has it.
type Slot struct {
	Start  uint32 // its first block
	Hash   proof.Hash
	Beacon proof.Hash
}

// Audit is an audit that waits for an answer, as the chain has it.
type Audit struct {
	Slot uint32
	Seed proof.Seed
	Plan proof.Totals   // that was challenged
	Bad  []proof.UnitID // that the slot's heartbeat named
}

// Record is the last one known to be final, and the number of the last block that is.
func (w *Worker) Record() (r proof.Record, final uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.record, w.final
}

// Changes is how many changes of files there are to tell the chain of, all that it was
// told included.
func (w *Worker) Changes() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ledger.Log.Len()
}

// Quote asks the platform for the quote that registers the enclave, over the hash of a
// recent block.
func (w *Worker) Quote(anchor proof.Hash) ([]byte, error) {
	var a trusted.QuoteAnswer
	err := w.control.keep(&trusted.QuoteRequest{Anchor: anchor}, &a, &a.Quote)
	return a.Quote, err
}

// Heartbeat has the enclave check what a slot asks for and returns its signed report;
// what it says is durable by then. While an earlier report is not final, its step is
// signed again. It fails with trusted.ErrTooManyBad if the loss has to be declared
// (Loss), and with trusted.ErrPending if another step has to become final first.
func (w *Worker) Heartbeat(ctx context.Context, p proof.Params, s Slot) (*trusted.Signed, error) {
	id, err := w.identity()
	if err != nil {
		return nil, err
	}
	if id.Phase != trusted.Ready {
		return nil, trusted.ErrLoading
	}
	var c trusted.ChallengeAnswer
	if err := w.control.call(&trusted.ChallengeRequest{Params: p, Slot: s.Start, Hash: s.Hash, Beacon: s.Beacon}, &c); err != nil {
		return nil, err
	}
	w.asked = c.Asked
	if err := w.show(ctx, c.Asked); err != nil {
		return nil, err
	}
	var r trusted.ReportRequest
	if !id.Pending {
		if r.Drop, r.Lost = w.leaving(); len(r.Lost) > proof.MaxBad {
			return nil, fmt.Errorf("%d units that files need are gone: %w", len(r.Lost), trusted.ErrTooManyBad)
		}
	}
	return w.sign(&r, id.Record.Counter+1, index.Step{UnitLeaves: p.UnitLeaves})
}

// Loss has the enclave sign that the units that cannot be read are lost, to be accepted
// until some block.
func (w *Worker) Loss(ctx context.Context, p proof.Params, until uint32) (*trusted.Signed, error) {
	id, err := w.identity()
	if err != nil {
		return nil, err
	}
	r := &trusted.LossRequest{Params: p, Until: until}
	if !id.Pending {
		// What was asked for last is shown once more: a disk may be back.
		if err := w.show(ctx, w.asked); err != nil {
			return nil, err
		}
		w.mu.Lock()
		for u := range w.missing() {
			r.Lost = append(r.Lost, u)
		}
		w.mu.Unlock()
		slices.SortFunc(r.Lost, func(a, b proof.UnitID) int { return slices.Compare(a[:], b[:]) })
	}
	return w.sign(r, id.Record.Counter+1, index.Step{Loss: true, UnitLeaves: p.UnitLeaves})
}

// sign makes durable what a signature depends on, the units of the step included, and then asks for the
// signature.
func (w *Worker) sign(r trusted.Request, counter uint64, step index.Step) (*trusted.Signed, error) {
	var p trusted.Persist
	w.closing.Lock()
	fixed := sync.OnceFunc(w.closing.Unlock)
	defer fixed()
	err := w.control.with(func(c *enclave.Client) error {
		err := c.Call(r, &p)
		fixed()
		if err != nil {
			return err
		}
		if p.Step != nil {
			step.Transition = p.Step
			b := w.db.Batch()
			b.PutStep(counter, &step)
			if err := b.Commit(); err != nil {
				return local(err)
			}
		}
		return local(enclave.Save(w.cfg.State, p.State))
	})
	if err != nil {
		return nil, err
	}
	if p.Step != nil {
		if err := w.noteDropping(&step); err != nil {
			return nil, err
		}
		if err := w.copyStep(counter, &step); err != nil {
			return nil, err
		}
	}
	s := new(trusted.Signed)
	return s, w.control.keep(&trusted.PersistedRequest{Seq: p.Seq}, s, &s.Message)
}

// noteDropping remembers what is on its way out.
func (w *Worker) noteDropping(s *index.Step) error {
	t, err := s.Decode()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.dropping)
	for _, id := range t.Drop {
		w.dropping[id] = true
	}
	return nil
}

// showLeaves is how many leaves are shown at a time: they stay in the caches of both sides.
const showLeaves = 8

// readLeaves is how many leaves are read at a time, by each of readers: while the leaves of one
// are checked, those of another are read.
const (
	readLeaves = 32
	readers    = 2
)

// show reads leaves and has them checked, over all connections at a time. It notes the
// units of which one is wrong, and only those.
func (w *Worker) show(ctx context.Context, asked []trusted.Asked) error {
	w.mu.Lock()
	clear(w.bad)
	w.mu.Unlock()
	var next atomic.Int64
	g := lifecycle.NewGroup(ctx, 0)
	for len(w.readers) < readers {
		w.readers = append(w.readers, disk.NewReader(readLeaves))
	}
	for _, r := range w.readers {
		g.Go("showing leaves", func(ctx context.Context) error {
			for {
				to := int(next.Add(readLeaves))
				from := to - readLeaves
				if from >= len(asked) {
					return nil
				}
				if err := w.showBatch(ctx, asked[from:min(to, len(asked))], uint32(from), r); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// showBatch reads some leaves together, and shows them a few at a time.
func (w *Worker) showBatch(ctx context.Context, asked []trusted.Asked, from uint32, r *disk.Reader) error {
	shown, unread := w.leaves(asked, r)
	for len(asked) > 0 {
		n := min(showLeaves, len(asked))
		if err := w.showFrame(ctx, asked[:n], trusted.CheckRequest{From: from, Shown: shown[:n]}, unread); err != nil {
			return err
		}
		asked, shown, from = asked[n:], shown[n:], from+uint32(n)
	}
	return nil
}

// showFrame has some leaves checked; unread is why some could not be read.
func (w *Worker) showFrame(ctx context.Context, asked []trusted.Asked, r trusted.CheckRequest, unread error) error {
	var a trusted.CheckAnswer
	if err := w.pool.with(ctx, func(c *enclave.Client) error { return c.Call(&r, &a) }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range a.Wrong {
		if int(i) >= len(asked) {
			return fmt.Errorf("worker: the enclave says that leaf %d of %d is wrong", i, len(asked))
		}
		if id := asked[i].Unit.ID; !w.bad[id] {
			w.bad[id] = true
			w.cfg.Log.Warn("a unit cannot be shown, or is not what it was", "unit", fmt.Sprintf("%x", id), "leaf", asked[i].Leaf, "err", unread)
		}
	}
	return nil
}

// leaves reads leaves, and their paths if they are in data units. What cannot be read has no
// bytes, which says so to the enclave; unread is why.
func (w *Worker) leaves(asked []trusted.Asked, r *disk.Reader) (shown []trusted.Shown, unread error) {
	shown = make([]trusted.Shown, len(asked))
	reads, of := make([]disk.LeafRead, 0, len(asked)), make([]int, 0, len(asked))
	leaves := make([]uint32, 0, len(asked)) // that the units have
	for i := range asked {
		u, d, err := w.unit(asked[i].Unit.ID)
		if err != nil {
			unread = err
			continue
		}
		reads = append(reads, disk.LeafRead{Disk: d, Unit: u.Number, Leaf: asked[i].Leaf, Into: r.Room(i)})
		of, leaves = append(of, i), append(leaves, u.Desc.Leaves)
	}
	r.Read(reads)
	for k := range reads {
		l, err := &reads[k], reads[k].Err
		var path []proof.Hash
		if err == nil && asked[of[k]].Kind == proof.Data {
			path, err = l.Disk.Path(l.Unit, l.Leaf, leaves[k])
		}
		if err != nil {
			_ = l.Disk.Recheck() // whether the disk is there at all; it remembers
			unread = err
			continue
		}
		shown[of[k]] = trusted.Shown{Leaf: l.Into, Path: path}
	}
	return shown, unread
}

// unit finds a unit on the disks.
func (w *Worker) unit(id proof.UnitID) (*index.Unit, *disk.Disk, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.byID[id]
	if u == nil {
		return nil, nil, fmt.Errorf("unit %x: %w", id, ErrNotFound)
	}
	d := w.disk(u.Disk)
	if d == nil {
		return nil, nil, fmt.Errorf("unit %d lies on disk %v: %w", u.Number, disk.ID(u.Disk), disk.ErrVanished)
	}
	return u, d, nil
}

// FileReport has the enclave sign the next changes of files, from some number on: that
// of the changes that the chain has accepted.
func (w *Worker) FileReport(from uint64) (*trusted.Signed, error) {
	s := new(trusted.Signed)
	return s, w.control.keep(&trusted.FilesRequest{From: from, Limit: proof.MaxFileChanges}, s, &s.Message)
}

// Answer answers an audit from what the disks have.
func (w *Worker) Answer(a *Audit) (*proof.AuditAnswer, error) {
	g, err := w.challenged(a.Plan.Root)
	if err != nil {
		return nil, err
	}
	answer := &proof.AuditAnswer{Lineage: w.id.Lineage, Slot: a.Slot}
	buf := disk.Leaves(1)
	for _, s := range proof.Audit(a.Seed, &a.Plan) {
		at, err := g.Plan.Find(s.Leaf)
		if err != nil {
			return nil, err
		}
		if slices.Contains(a.Bad, at.Unit.ID) {
			lost, err := g.Plan.AnswerBad(s)
			if err != nil {
				return nil, err
			}
			answer.Leaves = append(answer.Leaves, proof.Answer{Lost: lost})
			continue
		}
		held, err := w.held(g, s, &at, buf)
		if err != nil {
			return nil, fmt.Errorf("audit of slot %d, leaf %d: %w", a.Slot, s.Leaf, err)
		}
		answer.Leaves = append(answer.Leaves, proof.Answer{Held: held})
	}
	return answer, nil
}

func (w *Worker) held(g *proof.Ledger, s proof.Sample, at *proof.Place, buf []byte) (*proof.Held, error) {
	u, d, err := w.unit(at.Unit.ID)
	if err != nil {
		return nil, err
	}
	if err := d.ReadLeaf(u.Number, at.Leaf, buf); err != nil {
		return nil, err
	}
	path, err := d.Path(u.Number, at.Leaf, u.Desc.Leaves)
	if err != nil {
		return nil, err
	}
	return g.Plan.AnswerLeaf(s, buf, path)
}

// challenged returns the ledger with some root: the current one or that before.
func (w *Worker) challenged(root proof.Hash) (*proof.Ledger, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range []*proof.Ledger{&w.ledger, &w.before} {
		if g.Plan.Totals().Root == root {
			c := g.Clone()
			return &c, nil
		}
	}
	return nil, errors.New("worker: the plan that is audited is older than those that are kept")
}
