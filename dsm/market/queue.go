package market

import (
	"errors"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// ErrQueueFull says that a worker has too many changes waiting.
var ErrQueueFull = errors.New("market: the worker's earlier reports of files still wait")

// turn is how many changes of one worker are worked off before the next worker's.
const turn = 16

// QueueRoom is how many more changes a worker may report now.
func (p *Pallet) QueueRoom(e *frame.Env, worker Lineage) int {
	return MaxQueued - int(p.Queues.Get(e, worker).Changes)
}

// QueueReport takes an accepted report of files; package swork calls it. The
// changes are worked off in the blocks that follow, in order, all workers in
// turn. ErrQueueFull if they do not fit beside those that wait.
func (p *Pallet) QueueReport(e *frame.Env, worker Lineage, r Report) error {
	switch n := r.Len(); {
	case n == 0:
		return nil
	case n > p.QueueRoom(e, worker):
		return ErrQueueFull
	default:
		q := p.Queues.Get(e, worker)
		p.QueuedReports.Put(e, pair(worker, q.Tail), QueuedReport{r, now(e)})
		q.Tail++
		q.Changes += uint32(n)
		p.join(e, worker, &q)
		p.Queues.Put(e, worker, q)
		return nil
	}
}

// join puts a worker at the end of the ring, unless it is there.
func (p *Pallet) join(e *frame.Env, worker Lineage, q *Queue) {
	if q.InRing {
		return
	}
	q.InRing = true
	s := p.RingSpan.Get(e)
	p.Ring.Put(e, s.Tail, worker)
	s.Tail++
	p.RingSpan.Put(e, s)
}

// RemoveWorker removes all of a worker's replicas and the reports of it that
// wait: when it is retired, leaves its group, or lost its files. They count for
// nothing from now on; the removal itself takes as many blocks as it needs. What
// the worker reports from now on is worked off after it.
func (p *Pallet) RemoveWorker(e *frame.Env, worker Lineage) {
	q := p.Queues.Get(e, worker)
	for n := q.Head; n != q.Tail; n++ {
		p.QueuedReports.Kill(e, pair(worker, n))
	}
	if q != (Queue{}) {
		p.Queues.Put(e, worker, Queue{Head: q.Tail, Tail: q.Tail, InRing: q.InRing})
	}
	h, ok := p.Holders.Lookup(e, worker)
	if !ok || h.Leaving {
		return
	}
	p.Holders.Put(e, worker, Holder{Leaving: true})
	p.addJob(e, Job{Release: &worker})
}

// workOff works changes off until the budget is spent or nothing is left that can
// be worked off.
func (p *Pallet) workOff(e *frame.Env, b *budget) {
	for progress := true; progress; {
		progress = false
		for turns := p.RingSpan.Get(e).len(); turns > 0 && b.left(weights.change.At(0)); turns-- {
			progress = p.takeTurn(e, b) || progress
		}
	}
}

// takeTurn works off some changes of the worker whose turn it is, and reports
// whether there were any that could be.
func (p *Pallet) takeTurn(e *frame.Env, b *budget) (worked bool) {
	s := p.RingSpan.Get(e)
	worker := p.Ring.Take(e, s.Head)
	s.Head++
	p.RingSpan.Put(e, s)
	q := p.Queues.Get(e, worker)
	q.InRing = false
	b.spend(weights.change.At(0))
	if !p.Holders.Get(e, worker).Leaving {
		for n := 0; n < turn && q.Changes > 0 && b.left(weights.change.At(0)); n++ {
			b.spend(weights.change.At(p.workOne(e, worker, &q)))
			worked = true
		}
	}
	if q.Changes > 0 {
		p.join(e, worker, &q)
		p.Queues.Put(e, worker, q)
	} else {
		p.Queues.Kill(e, worker)
	}
	return worked
}

// workOne works one change off and returns how many replicas it looked at.
func (p *Pallet) workOne(e *frame.Env, worker Lineage, q *Queue) (looked int) {
	r := p.QueuedReports.Get(e, pair(worker, q.Head))
	n := int(q.Next)
	if added := len(r.Report.Added); n < added {
		looked = p.addReplica(e, worker, &r, r.Report.Added[n])
	} else {
		looked = p.deleteReplica(e, worker, r.Report.Deleted[n-added])
	}
	q.Changes--
	if q.Next++; int(q.Next) == r.Report.Len() {
		p.QueuedReports.Kill(e, pair(worker, q.Head))
		q.Head, q.Next = q.Head+1, 0
	}
	return looked
}

// addJob puts a job at the end of the list.
func (p *Pallet) addJob(e *frame.Env, j Job) {
	s := p.JobSpan.Get(e)
	p.Jobs.Put(e, s.Tail, j)
	s.Tail++
	p.JobSpan.Put(e, s)
}

// doJobs takes steps of jobs, all in turn, until the budget is spent or there are
// none left.
func (p *Pallet) doJobs(e *frame.Env, b *budget) {
	for p.JobSpan.Get(e).len() > 0 && b.left(weights.payer.At(payersAtOnce)) {
		s := p.JobSpan.Get(e)
		j := p.Jobs.Take(e, s.Head)
		s.Head++
		p.JobSpan.Put(e, s)
		b.spend(weights.day)
		done := false
		if j.Payers != nil {
			var n int
			n, done = p.payBack(e, *j.Payers, payersAtOnce)
			b.spend(weights.payer.At(n))
		} else {
			done = p.releaseSome(e, *j.Release, b)
		}
		if !done {
			p.addJob(e, j)
		}
	}
}

// releaseSome removes replicas of a worker that is being removed, as many as a
// turn and the budget allow.
func (p *Pallet) releaseSome(e *frame.Env, worker Lineage, b *budget) (done bool) {
	var keys []Key
	for key := range p.Holdings.Prefix(e, worker) {
		if keys = append(keys, key); len(keys) == turn {
			break
		}
	}
	for _, key := range keys {
		b.spend(weights.change.At(p.deleteReplica(e, worker, key)))
		if !b.left(weights.change.At(0)) {
			return false
		}
	}
	if len(keys) == turn {
		return false
	}
	p.Holders.Kill(e, worker)
	return true
}

// budget is the weight that may still be used of a block.
type budget struct{ limit, used types.Weight }

func (b *budget) spend(w types.Weight) { b.used = b.used.Add(w) }

// left reports whether something of weight w may be begun.
func (b *budget) left(w types.Weight) bool { return b.used.Add(w).Fits(b.limit) }
