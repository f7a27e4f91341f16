package routing

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ipfs/go-datastore"
)

// fence stands between the directory's protocol and the store. Handlers of the protocol,
// for which nobody waits, find it closed before the store is, which would panic; and what
// strangers have stored here is bounded.
type fence struct {
	datastore.Batching
	usage func(ctx context.Context) (uint64, error)

	writes atomic.Uint64
	full   atomic.Bool

	mu     sync.RWMutex // held while the store is used
	closed bool
}

// What a server keeps for others.
const (
	maxStored   = 1 << 30 // bytes on disk, after which nothing is taken until some of it is out of date
	usageWrites = 1024    // between two looks at that
)

var (
	errClosed = errors.New("the directory is closed")
	errFull   = errors.New("the directory's part here is full")
)

// close waits for who uses the store, and lets nobody in any more.
func (f *fence) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// use calls do while the store is open.
func (f *fence) use(do func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return errClosed
	}
	return do()
}

// Get is the store's.
func (f *fence) Get(ctx context.Context, key datastore.Key) (value []byte, err error) {
	err = f.use(func() error { value, err = f.Batching.Get(ctx, key); return err })
	return value, err
}

// Has is the store's.
func (f *fence) Has(ctx context.Context, key datastore.Key) (ok bool, err error) {
	err = f.use(func() error { ok, err = f.Batching.Has(ctx, key); return err })
	return ok, err
}

// GetSize is the store's.
func (f *fence) GetSize(ctx context.Context, key datastore.Key) (size int, err error) {
	err = f.use(func() error { size, err = f.Batching.GetSize(ctx, key); return err })
	return size, err
}

// Put is the store's while there is room.
func (f *fence) Put(ctx context.Context, key datastore.Key, value []byte) error {
	return f.use(func() error {
		if f.writes.Add(1)%usageWrites == 1 {
			size, err := f.usage(ctx)
			if err != nil {
				return err
			}
			f.full.Store(size > maxStored)
		}
		if f.full.Load() {
			return errFull
		}
		return f.Batching.Put(ctx, key, value)
	})
}

// Delete is the store's.
func (f *fence) Delete(ctx context.Context, key datastore.Key) error {
	return f.use(func() error { return f.Batching.Delete(ctx, key) })
}

// Sync is the store's.
func (f *fence) Sync(ctx context.Context, prefix datastore.Key) error {
	return f.use(func() error { return f.Batching.Sync(ctx, prefix) })
}
