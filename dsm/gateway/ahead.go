package gateway

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// Bounds of reading ahead.
const (
	aheadBlocks = 16       // of one request
	aheadBytes  = 32 << 20 // of all requests
	aheadLists  = 8        // nodes of one request whose links are remembered
	aheadLinks  = 4096     // of a node; a file's have 174
	aheadAtOnce = 2        // reads of one request
)

// reader is a store that knows which blocks a request is likely to ask for next: answers go
// through a graph in the order of its links, one block after the other, and to open a
// sealed block takes as long as to send one.
type reader struct{ vault.Reader }

// Get returns a block, one that was read already if there is.
func (r reader) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	if a, ok := ctx.Value(aheadKey{}).(*ahead); ok {
		return a.get(ctx, c)
	}
	return r.Reader.Get(ctx, c)
}

// aheadKey is where a request's context has what is read for it.
type aheadKey struct{}

// readAhead has blocks read ahead for the requests to a handler.
func readAhead(store vault.Reader, next http.Handler) http.Handler {
	room := new(atomic.Int64)
	room.Store(aheadBytes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		a := &ahead{from: store, room: room, group: lifecycle.NewGroup(r.Context(), 0), turn: make(chan struct{}, aheadAtOnce),
			places: map[dag.CID]place{}, reads: map[dag.CID]*read{}}
		defer a.close()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), aheadKey{}, a)))
	})
}

// ahead is what is read for one request.
type ahead struct {
	from  vault.Reader
	room  *atomic.Int64 // bytes that all requests together may still read ahead
	group *lifecycle.Group
	turn  chan struct{} // has as many as read at once

	mu     sync.Mutex // guards what follows
	places map[dag.CID]place
	lists  []*list // of places, oldest first
	reads  map[dag.CID]*read
	window int // how far ahead: it grows as the request goes on in order
	closed bool
}

// list is the links of a node. Those before begun were read ahead, or asked for.
type list struct {
	links []dag.CID
	begun int
}

// place is where a block stands among its siblings.
type place struct {
	in *list
	at int
}

// read is a block that is being read, or was.
type read struct {
	size int64 // of room
	done chan struct{}
	data []byte // once done
	err  error
}

func (a *ahead) get(ctx context.Context, c dag.CID) ([]byte, error) {
	a.mu.Lock()
	r := a.reads[c]
	delete(a.reads, c)
	a.advance(c)
	a.mu.Unlock()
	data, err := a.wait(ctx, c, r)
	if err != nil {
		return nil, err
	}
	if links, err := dag.Links(c.Codec(), data); err == nil && len(links) > 0 {
		a.learn(links)
	}
	return data, nil
}

// wait returns a block that was begun, or reads it.
func (a *ahead) wait(ctx context.Context, c dag.CID, r *read) ([]byte, error) {
	if r != nil {
		<-r.done // the store listens to the request's context
		a.room.Add(r.size)
		if r.err == nil {
			return r.data, nil
		}
	}
	return a.from.Get(ctx, c)
}

// learn remembers the links of a node.
func (a *ahead) learn(links []dag.CID) {
	l := &list{links: links[:min(len(links), aheadLinks)]}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.lists) == aheadLists {
		for _, c := range a.lists[0].links {
			if a.places[c].in == a.lists[0] {
				delete(a.places, c)
			}
		}
		a.lists = a.lists[1:]
	}
	a.lists = append(a.lists, l)
	for i, c := range l.links {
		a.places[c] = place{l, i}
	}
}

// advance begins to read what follows a block that is asked for, with mu held.
func (a *ahead) advance(c dag.CID) {
	p, ok := a.places[c]
	if !ok || a.closed {
		return
	}
	a.window = min(2*a.window+1, aheadBlocks)
	l := p.in
	for l.begun = max(l.begun, p.at+1); l.begun <= min(p.at+a.window, len(l.links)-1) && len(a.reads) < aheadBlocks; l.begun++ {
		if !a.begin(l.links[l.begun]) {
			return
		}
	}
}

// begin begins to read a block, with mu held, if there is room.
func (a *ahead) begin(c dag.CID) bool {
	if _, inline := c.Inline(); inline || a.reads[c] != nil {
		return true
	}
	n, err := a.from.Size(context.Background(), c)
	if err != nil {
		return true // whoever asks for it will hear
	}
	if a.room.Add(-int64(n)) < 0 {
		a.room.Add(int64(n))
		return false
	}
	r := &read{size: int64(n), done: make(chan struct{})}
	a.reads[c] = r
	a.group.Go("read ahead", func(ctx context.Context) error {
		defer close(r.done)
		select {
		case a.turn <- struct{}{}:
			r.data, r.err = a.from.Get(ctx, c)
			<-a.turn
		case <-ctx.Done():
			r.err = ctx.Err()
		}
		return nil
	})
	return true
}

// close ends the reads and gives back the room of those that nobody asked for.
func (a *ahead) close() {
	a.mu.Lock()
	a.closed = true
	left := a.reads
	a.reads = map[dag.CID]*read{}
	a.mu.Unlock()
	a.group.Stop()
	_ = a.group.Wait() // no read fails the group
	for _, r := range left {
		a.room.Add(r.size)
	}
}
