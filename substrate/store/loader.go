package store

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
)

// loader is a trie.Loader for one operation, under db.mu. Its iterators are
// reused, because rebuilding subtrees in key order then costs little more than
// reading on.
type loader struct {
	db      *DB
	iterate func(prefix, from []byte) state.Iterator // the state that the trie has

	mu   sync.Mutex
	free []*tableIter
}

// loaderAt is the loader for the trie of n, at or above the base.
func (db *DB) loaderAt(n *node) *loader {
	return &loader{db: db, iterate: func(prefix, from []byte) state.Iterator { return db.iterateAt(n, prefix, from) }}
}

func (l *loader) close() error {
	var errs []error
	for _, it := range l.free {
		errs = append(errs, it.Close())
	}
	l.free = nil
	return errors.Join(errs...)
}

// Record implements trie.Loader.
func (l *loader) Record(path []byte) ([]byte, error) { return l.db.get(kindKey(kindTrie, path)) }

// maxRangeGuess bounds the memory that Range takes before it knows that it needs
// it, in bytes.
const maxRangeGuess = 64 << 10

// Range implements trie.Loader.
func (l *loader) Range(path trie.Path, limit int) ([]trie.KV, error) {
	it, err := l.take()
	if err != nil {
		return nil, err
	}
	defer l.put(it)
	_, lower := path.Bytes()
	var buf []byte
	type span struct{ key, end int }
	spans := make([]span, 0, limit)
	for ok := it.seek(kindKey(kindState, lower)); ok && path.Covers(it.Key()); ok = it.Next() {
		if len(spans) == limit {
			return nil, fmt.Errorf("%w: more than %d entries at %x", ErrCorrupt, limit, lower)
		}
		if buf == nil { // neighbours are mostly alike
			buf = make([]byte, 0, min(limit*(len(it.Key())+len(it.Value())+8), maxRangeGuess))
		}
		buf = append(buf, it.Key()...)
		k := len(buf)
		buf = append(buf, it.Value()...)
		spans = append(spans, span{k, len(buf)})
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	out := make([]trie.KV, len(spans))
	at, was, existed := 0, []byte(nil), false // what path.Key has
	for i, s := range spans {
		out[i] = trie.KV{Key: buf[at:s.key:s.key], Value: buf[s.key:s.end:s.end]}
		at = s.end
		if bytes.Equal(out[i].Key, path.Key) {
			was, existed = out[i].Value, true
		}
	}
	l.db.values.offer(path.Key, was, existed) // it changes: a checkpoint asks for what it was, be it nothing
	return out, nil
}

func (l *loader) take() (*tableIter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		it := l.free[n-1]
		l.free = l.free[:n-1]
		return it, nil
	}
	return l.db.iterate([]byte{kindState}, []byte{kindState + 1})
}

func (l *loader) put(it *tableIter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, it)
}

// Leaf implements trie.Loader.
func (l *loader) Leaf(path trie.Path) (e trie.KV, err error) {
	prefix, lower := path.Bytes()
	it := l.iterate(prefix, lower)
	if it.Next() && path.Covers(it.Key()) {
		e = trie.KV{Key: bytes.Clone(it.Key()), Value: bytes.Clone(it.Value())}
	} else if err = it.Err(); err == nil {
		err = fmt.Errorf("%w: no entry at %x", ErrCorrupt, path.Append(nil))
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return e, err
}

// trieOf is the trie of n, at or above the base; it is computed from the nearest
// ancestor that has one if need be. The caller holds db.mu and db.trieMu.
func (db *DB) trieOf(n *node) (*trie.Trie, error) {
	if n.trie != nil {
		return n.trie, nil
	}
	from := n
	var layers []*state.Layer
	for from.trie == nil {
		layers = append(layers, from.layer)
		if from = from.up; from == nil {
			return nil, fmt.Errorf("block %d: no trie below it", n.number) // the base always has one
		}
	}
	l := db.loaderAt(from)
	up, err := from.trie.Update(l, state.Merge(layers).Changes(), db.opt.Par, db.nextTick())
	if err = errors.Join(err, l.close()); err != nil {
		return nil, err
	}
	if up.Trie.Hash() != n.root {
		return nil, fmt.Errorf("%w: the state of block %d has root %x instead of %s", ErrCorrupt, n.number, up.Trie.Hash(), n.root)
	}
	n.trie = up.Trie
	if n.from == nil { // else it had a trie before, and those above were made by way of it
		n.from, n.removed = from, up.Removed
	}
	db.trieBytes += up.Added
	return n.trie, nil
}

// finalTries is how many of the last finalised blocks keep their tries, for those
// who ask for proofs a little late. Of earlier ones above the base, only the nodes
// that later tries share stay in memory.
const finalTries = 16

// dropTries drops the tries that are not needed any more after the last n blocks
// up to the finalised one became final.
func (db *DB) dropTries(n int) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	at := db.finalised
	for i := 0; i < finalTries+n && at != db.base; i++ {
		if i >= finalTries {
			at.trie = nil
		}
		at = at.up
	}
}

func (db *DB) nextTick() uint32 {
	if db.tick++; db.tick == 0 {
		db.tick = 1
	}
	return db.tick
}
