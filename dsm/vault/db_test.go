package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/mpow/dag"
)

// graph is blocks under a root.
type graph struct {
	root   dag.CID
	blocks map[string]Block
	size   uint64
}

// node makes a dag-cbor list of links.
func node(links ...dag.CID) Block {
	b := []byte{0x99}
	b = binary.BigEndian.AppendUint16(b, uint16(len(links)))
	if len(links) < 24 {
		b = []byte{0x80 | byte(len(links))}
	} else if len(links) < 256 {
		b = []byte{0x98, byte(len(links))}
	}
	for _, c := range links {
		raw := append([]byte{0}, c.Bytes()...)
		b = append(append(b, 0xd8, 42, 0x58, byte(len(raw))), raw...)
	}
	return Block{dag.Sum(dag.DagCBOR, b), b}
}

// makeGraph makes a graph of n leaves whose content follows from seed, and of which
// the first few are the same for all seeds.
func makeGraph(seed uint64, n, common int) graph {
	g := graph{blocks: map[string]Block{}}
	var links []dag.CID
	for i := range n {
		s := seed
		if i < common {
			s = 0
		}
		data := fmt.Appendf(nil, "leaf %d of %d ", i, s)
		for len(data) < 3000 {
			data = append(data, data...)
		}
		b := Block{dag.Sum(dag.Raw, data), data}
		g.blocks[b.CID.Key()] = b
		links = append(links, b.CID)
	}
	for len(links) > 1 {
		var up []dag.CID
		for part := range slices.Chunk(links, 30) {
			b := node(part...)
			g.blocks[b.CID.Key()] = b
			up = append(up, b.CID)
		}
		links = up
	}
	g.root = links[0]
	for _, b := range g.blocks {
		g.size += uint64(len(b.Data))
	}
	return g
}

// seal puts a graph into a vault, the wanted blocks in random order.
func seal(t *testing.T, v Vault, g graph, rnd *rand.Rand) {
	t.Helper()
	if err := trySeal(t.Context(), v, g, rnd); err != nil {
		t.Fatal(err)
	}
}

func trySeal(ctx context.Context, v Vault, g graph, rnd *rand.Rand) error {
	s, err := v.Begin(ctx, g.root, g.size)
	if err != nil {
		return err
	}
	wanted := []dag.CID{g.root}
	for len(wanted) > 0 {
		rnd.Shuffle(len(wanted), func(i, j int) { wanted[i], wanted[j] = wanted[j], wanted[i] })
		n := 1 + rnd.IntN(len(wanted))
		var blocks []Block
		for _, c := range wanted[:n] {
			blocks = append(blocks, g.blocks[c.Key()])
		}
		more, err := s.Put(ctx, blocks)
		if err != nil {
			return err
		}
		wanted = append(wanted[n:], more...)
	}
	size, err := s.Commit(ctx)
	if err == nil && size != g.size {
		err = fmt.Errorf("size is %d, want %d", size, g.size)
	}
	return err
}

// check compares what the database holds with what it should.
func check(t *testing.T, db *DB, graphs ...graph) {
	t.Helper()
	want := map[string]string{}
	for _, g := range graphs {
		for k, b := range g.blocks {
			want[k] = string(b.Data)
		}
		if size, err := db.Graph(t.Context(), g.root); err != nil || size != g.size {
			t.Errorf("graph %v has size %d, %v; want %d", g.root, size, err, g.size)
		}
	}
	got, groups := map[string]string{}, 0
	err := errors.Join(db.scan([]byte{kindBlock}, func(k, v []byte) error { got[string(k[1:])] = string(v); return nil }),
		db.scan([]byte{kindGroup}, func(k, v []byte) error { groups++; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" || groups != len(graphs) {
		t.Errorf("%d groups, want %d; blocks: %s", groups, len(graphs), diff)
	}
	for k, v := range got {
		if want[k] != v {
			t.Errorf("block %x differs", k)
		}
		c, err := dag.ParseCID([]byte(k))
		if err != nil {
			t.Fatal(err)
		}
		data, err1 := db.Get(t.Context(), c)
		size, err2 := db.Size(t.Context(), c)
		has, err3 := db.Has(t.Context(), c)
		if err := errors.Join(err1, err2, err3); err != nil || string(data) != v || size != len(v) || !has {
			t.Errorf("block %v reads as %d bytes, size %d, has %v, %v", c, len(data), size, has, err)
		}
	}
	members := 0
	_ = db.scan([]byte{kindMember}, func([]byte, []byte) error { members++; return nil })
	lists := 0
	_ = db.scan([]byte{kindList}, func([]byte, []byte) error { lists++; return nil })
	sum := 0
	for _, g := range graphs {
		sum += len(g.blocks)
	}
	if members != sum || lists != sum {
		t.Errorf("%d and %d entries of groups, want %d", members, lists, sum)
	}
}

func mustOpen(t *testing.T, fs vfs.FS) *DB {
	t.Helper()
	db, err := open("db", fs)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestGraphsShareBlocks(t *testing.T) {
	fs := vfs.NewMem()
	db := mustOpen(t, fs)
	rnd := rand.New(rand.NewPCG(1, 2))
	a, b := makeGraph(1, 100, 40), makeGraph(2, 2500, 40)
	seal(t, db, a, rnd)
	check(t, db, a)
	seal(t, db, b, rnd)
	seal(t, db, a, rnd) // a second time changes nothing
	check(t, db, a, b)
	if err := db.Delete(t.Context(), b.root); err != nil {
		t.Fatal(err)
	}
	check(t, db, a)
	if err := db.Delete(t.Context(), b.root); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting twice: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, fs)
	check(t, db, a)
	if err := errors.Join(db.Delete(t.Context(), a.root), db.Close()); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, fs)
	check(t, db)
	if _, err := db.Get(t.Context(), a.root); !errors.Is(err, ErrNotFound) {
		t.Errorf("get after delete: %v", err)
	}
	_ = db.Close()
}

func TestSealingRefuses(t *testing.T) {
	db := mustOpen(t, vfs.NewMem())
	defer func() { _ = db.Close() }()
	g := makeGraph(1, 50, 0)
	ctx := t.Context()
	root := g.blocks[g.root.Key()]
	bad := Block{g.root, append(slices.Clone(root.Data), 0)}
	cases := map[string]struct {
		limit uint64
		put   []Block
		want  error
	}{
		"not wanted": {g.size, []Block{root, root}, dag.ErrNotWanted},
		"mismatch":   {g.size, []Block{bad}, dag.ErrMismatch},
		"too large":  {10, []Block{root}, dag.ErrLimit},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := db.Begin(ctx, g.root, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Put(ctx, c.put); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if _, err := s.Commit(ctx); err == nil {
				t.Error("committed without all blocks")
			}
			if err := errors.Join(s.Abandon(ctx), s.Abandon(ctx)); err != nil {
				t.Error(err)
			}
		})
	}
	check(t, db)
}

func TestImport(t *testing.T) {
	db := mustOpen(t, vfs.NewMem())
	defer func() { _ = db.Close() }()
	ctx := t.Context()
	a, b, extra := makeGraph(1, 100, 10), makeGraph(2, 20, 10), makeGraph(3, 1, 0)
	i, err := db.Import(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []graph{a, b, extra} {
		if err := i.Put(ctx, slices.Collect(maps.Values(g.blocks))); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Put(ctx, []Block{{a.root, []byte("no")}}); !errors.Is(err, dag.ErrMismatch) {
		t.Errorf("a block of another CID: %v", err)
	}
	if _, err := i.Finish(ctx, a.root, a.size-1); !errors.Is(err, dag.ErrLimit) {
		t.Errorf("a graph that is too large: %v", err)
	}
	absent := node(dag.Sum(dag.Raw, []byte("never seen")))
	if err := i.Put(ctx, []Block{absent}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Finish(ctx, absent.CID, 1e6); !errors.Is(err, ErrNotFound) {
		t.Errorf("a graph with a missing block: %v", err)
	}
	for _, g := range []graph{a, b} {
		if size, err := i.Finish(ctx, g.root, g.size); err != nil || size != g.size {
			t.Errorf("size %d, %v; want %d", size, err, g.size)
		}
	}
	if err := i.Close(ctx); err != nil {
		t.Fatal(err)
	}
	check(t, db, a, b)
}

// After a crash at any point, with whatever the disk kept, what was committed is
// there and nothing else is.
func TestCrash(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewCrashableMem()
		db := mustOpen(t, fs)
		var kept []graph
		for i := range uint64(6) {
			g := makeGraph(i, 20+rnd.IntN(60), 10)
			seal(t, db, g, rnd)
			if kept = append(kept, g); rnd.IntN(3) == 0 {
				if err := db.Delete(t.Context(), g.root); err != nil {
					t.Fatal(err)
				}
				kept = kept[:len(kept)-1]
			}
		}
		half := makeGraph(99, 80, 10)
		s, err := db.Begin(t.Context(), half.root, half.size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), []Block{half.blocks[half.root.Key()]}); err != nil {
			t.Fatal(err)
		}
		after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed%3) * 50, RNG: rnd})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, after)
		check(t, db, kept...)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A vault of a version that wrote a log is read, and the log is not read once more when it
// would bring back what was deleted since.
func TestLogOfBefore(t *testing.T) {
	fs := vfs.NewMem()
	rnd := rand.New(rand.NewPCG(1, 4))
	if err := fs.MkdirAll("db", 0o700); err != nil {
		t.Fatal(err)
	}
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	o := options(fs, cache)
	o.DisableWAL = false
	pdb, err := pebble.Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	db := &DB{pdb: pdb, cache: pebble.NewCache(0), fs: fs, dir: "db"}
	if err := db.begin(); err != nil {
		t.Fatal(err)
	}
	a, b := makeGraph(1, 100, 10), makeGraph(2, 100, 10)
	for _, g := range []graph{a, b} { // what is not flushed is in the log alone
		s, err := db.Begin(t.Context(), g.root, g.size)
		if err != nil {
			t.Fatal(err)
		}
		for wanted := []dag.CID{g.root}; len(wanted) > 0; {
			more, err := s.Put(t.Context(), []Block{g.blocks[wanted[0].Key()]})
			if err != nil {
				t.Fatal(err)
			}
			wanted = append(wanted[1:], more...)
		}
		if _, err := db.name(s.(*sealing).group, g.root, g.size); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, fs)
	check(t, db, a, b)
	if err := errors.Join(db.Delete(t.Context(), b.root), db.durable(), db.Close()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		db = mustOpen(t, fs)
		check(t, db, a)
		seal(t, db, b, rnd)
		check(t, db, a, b)
		if err := errors.Join(db.Delete(t.Context(), b.root), db.durable(), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// fullFS is a disk with little room.
type fullFS struct {
	vfs.FS
	avail uint64
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.avail}, nil
}

func TestDiskFull(t *testing.T) {
	fs := &fullFS{vfs.NewMem(), reserve + 1<<30}
	db := mustOpen(t, fs)
	defer func() { _ = db.Close() }()
	rnd := rand.New(rand.NewPCG(1, 1))
	a, b := makeGraph(1, 10, 0), makeGraph(2, 10, 0)
	seal(t, db, a, rnd)
	fs.avail = reserve
	if err := trySeal(t.Context(), db, b, rnd); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	if err := db.Delete(t.Context(), a.root); err != nil {
		t.Errorf("a full disk cannot be emptied: %v", err)
	}
	fs.avail = reserve + 1<<30
	seal(t, db, b, rnd)
}

func TestFormatOfTheFuture(t *testing.T) {
	fs := vfs.NewMem()
	db := mustOpen(t, fs)
	if err := errors.Join(db.pdb.Set([]byte{kindVersion}, []byte{format + 1}, pebble.NoSync), db.durable(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err := open("db", fs); err == nil {
		_ = db.Close()
		t.Error("a format that is not known was opened")
	}
}

func BenchmarkSeal(b *testing.B) {
	db, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var data []byte
	rnd := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 256<<10)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	i, err := db.Import(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var batch []Block
	for b.Loop() {
		_, _ = rnd.Read(block[:64])
		data = slices.Clone(block)
		if batch = append(batch, Block{dag.Sum(dag.Raw, data), data}); len(batch) == 32 {
			if err := i.Put(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}
