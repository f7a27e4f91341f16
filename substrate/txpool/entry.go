package txpool

import "github.com/crustgo/crust/substrate/types"

// entry is a transaction in the pool.
//
// Invariants, between calls: a ready entry has unmet = 0 and is listed in
// Pool.roots exactly if inPool = 0; a future entry has unmet > 0.
type entry struct {
	tx        Tx
	place     Place
	going     bool     // about to leave, so not worth moving
	listed    bool     // in Pool.roots
	walk      uint32   // the last walk that came by; see Pool.dependsOn
	validTill uint64   // first block at which the validation does not hold any more
	seq       uint64   // age
	stamp     uint64   // changes whenever the entry moves; see worst
	checked   uint64   // block of the last validation, or of the last call for one
	account   *account // of the sender if it is signed; nil until it has an entry
	requires  []*tag
	provides  []*tag
	unmet     int32 // requires that nothing provides
	inPool    int32 // requires that a ready entry provides
	bucket    int   // index in Pool.expiry[validTill]

	links      []link // in Pool.roots
	link1      [1]link
	older      *entry // in Pool.queue
	newer      *entry
	requiresIn [1]*tag
	providesIn [1]*tag
}

func (e *entry) size() Limit { return Limit{1, len(e.tx.Bytes)} }

// tag is a condition that transactions provide and require.
type tag struct {
	key      string
	provider *entry   // the ready entry that provides it
	future   *entry   // the future entry that provides it
	needers  []*entry // entries that require it, ready and future
	chain    int      // remembered blocks of the best chain that provide it
	refs     int      // entries and remembered blocks that name it; at 0 it is forgotten
	neederIn [1]*entry
}

// satisfied reports whether what requires the tag may be ready.
func (t *tag) satisfied() bool { return t.provider != nil || t.chain > 0 }

// holder is the entry at a place that provides the tag, or nil.
func (t *tag) holder(at Place) *entry {
	if at == InReady {
		return t.provider
	}
	return t.future
}

// account is the signed transactions of a sender, by nonce.
type account struct {
	entries []*entry
	futures int // of entries
	one     [1]*entry
}

// find is the index of the first entry with a nonce not below n.
func (a *account) find(n types.Nonce) int {
	lo, hi := 0, len(a.entries)
	for lo < hi {
		if mid := (lo + hi) / 2; a.entries[mid].tx.Nonce < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// queue lists all entries, those whose validation is oldest first.
type queue struct{ head entry }

func (q *queue) init() { q.head.older, q.head.newer = &q.head, &q.head }

func (q *queue) add(e *entry) {
	last := q.head.older
	e.older, e.newer = last, &q.head
	last.newer, q.head.older = e, e
}

func (q *queue) remove(e *entry) {
	e.older.newer, e.newer.older = e.newer, e.older
	e.older, e.newer = nil, nil
}

// first is the entry with the oldest validation, or nil.
func (q *queue) first() *entry {
	if q.head.newer == &q.head {
		return nil
	}
	return q.head.newer
}
