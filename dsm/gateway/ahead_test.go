package gateway

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crustgo/crust/dsm/importer"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// openFile is a vault with one file of random content.
func openFile(t testing.TB, size int64) (*vault.DB, importer.Entry) {
	t.Helper()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	into, err := db.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := importer.New(into, importer.Kubo, importer.Limits{Bytes: 1 << 30})
	e, err := i.File(t.Context(), "f", io.LimitReader(rand.NewChaCha8([32]byte{1}), size))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Finish(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := into.Finish(t.Context(), e.CID, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := into.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, e
}

// counting counts what is read.
type counting struct {
	vault.Reader
	reads atomic.Int64
}

func (c *counting) Get(ctx context.Context, k dag.CID) ([]byte, error) {
	c.reads.Add(1)
	return c.Reader.Get(ctx, k)
}

// withAhead runs f as a request.
func withAhead(store vault.Reader, f func(ctx context.Context, a *ahead)) (room *atomic.Int64) {
	h := readAhead(store, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a := r.Context().Value(aheadKey{}).(*ahead)
		room = a.room
		f(r.Context(), a)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return room
}

// Every block is read once, in whatever order it is asked for, and what is read before it is asked
// for has a bound that is kept and given back.
func TestReadAhead(t *testing.T) {
	db, e := openFile(t, 20<<20)
	store := &counting{Reader: db}
	root, err := db.Get(t.Context(), e.CID)
	if err != nil {
		t.Fatal(err)
	}
	links, err := dag.Links(e.CID.Codec(), root)
	if err != nil || len(links) != 80 {
		t.Fatalf("%d links, %v", len(links), err)
	}
	get := func(ctx context.Context, c dag.CID) {
		if b, err := (reader{store}).Get(ctx, c); err != nil || !c.Matches(b) {
			t.Errorf("block %v: %d bytes, %v", c, len(b), err)
		}
	}
	room := withAhead(store, func(ctx context.Context, a *ahead) {
		get(ctx, e.CID)
		for i, c := range links {
			get(ctx, c)
			a.mu.Lock()
			if most := min(aheadBlocks, len(links)-1-i); len(a.reads) > aheadBlocks || i > 10 && len(a.reads) < most {
				t.Errorf("after block %d %d are read ahead, want %d", i, len(a.reads), most)
			}
			a.mu.Unlock()
		}
	})
	if n := store.reads.Load(); n != int64(1+len(links)) {
		t.Errorf("%d reads of %d blocks", n, 1+len(links))
	}
	if room.Load() != aheadBytes {
		t.Errorf("%d bytes are left, want %d", room.Load(), aheadBytes)
	}
	room = withAhead(store, func(ctx context.Context, _ *ahead) { // from several sides, with a break
		get(ctx, e.CID)
		var all sync.WaitGroup
		for k := range 4 {
			all.Go(func() {
				for i := k; i < 60; i += 4 {
					get(ctx, links[i])
				}
			})
		}
		all.Wait()
		get(ctx, links[79])
		get(ctx, links[3])
	})
	if room.Load() != aheadBytes {
		t.Errorf("%d bytes are left after a break, want %d", room.Load(), aheadBytes)
	}
	room = withAhead(store, func(ctx context.Context, a *ahead) { // there is no room
		a.room.Add(-aheadBytes + 100)
		get(ctx, e.CID)
		for _, c := range links[:20] {
			get(ctx, c)
		}
		if len(a.reads) > 0 {
			t.Errorf("%d blocks are read ahead without room", len(a.reads))
		}
	})
	if room.Load() != 100 {
		t.Errorf("%d bytes are left, want 100", room.Load())
	}
}

// slow is a store whose blocks take a while, as sealed ones do.
type slow struct{ vault.Reader }

func (s slow) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	time.Sleep(500 * time.Microsecond)
	return s.Reader.Get(ctx, c)
}

// BenchmarkCAR reads an archive of 64 MiB.
func BenchmarkCAR(b *testing.B) {
	db, e := openFile(b, 64<<20)
	h, err := New(Config{Store: slow{db}})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	b.SetBytes(64 << 20)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := http.Get(server.URL + "/ipfs/" + e.Text + "?format=car")
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if _ = resp.Body.Close(); err != nil || n < 64<<20 {
			b.Fatal(n, err)
		}
	}
}
