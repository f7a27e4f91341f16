package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/boxo/bitswap/message"
	bspb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	blocks "github.com/ipfs/go-block-format"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// graph is blocks under a root.
type graph struct {
	root   dag.CID
	blocks []vault.Block // parents after their children
	size   uint64
}

// makeGraph makes a graph with n leaves of a size, by dag-cbor lists of 150 links.
func makeGraph(seed uint64, n, leaf int) graph {
	var g graph
	add := func(codec dag.Codec, data []byte) dag.CID {
		c := dag.Sum(codec, data)
		g.blocks = append(g.blocks, vault.Block{CID: c, Data: data})
		g.size += uint64(len(data))
		return c
	}
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	rnd := rand.NewChaCha8(key)
	var level []dag.CID
	for range n {
		data := make([]byte, leaf)
		_, _ = rnd.Read(data)
		level = append(level, add(dag.Raw, data))
	}
	for first := true; first || len(level) > 1; first = false {
		var up []dag.CID
		for len(level) > 0 {
			k := min(150, len(level))
			b := binary.BigEndian.AppendUint16([]byte{0x99}, uint16(k))
			if k < 24 {
				b = []byte{0x80 | byte(k)}
			} else if k < 256 {
				b = []byte{0x98, byte(k)}
			}
			for _, c := range level[:k] {
				raw := append([]byte{0}, c.Bytes()...)
				b = append(append(b, 0xd8, 42, 0x58, byte(len(raw))), raw...)
			}
			up = append(up, add(dag.DagCBOR, b))
			level = level[k:]
		}
		level = up
	}
	g.root = level[0]
	return g
}

func openVault(t testing.TB) *vault.DB {
	t.Helper()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fill puts a graph into a vault.
func fill(t testing.TB, db *vault.DB, g graph) {
	t.Helper()
	i, err := db.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k < len(g.blocks); k += 64 {
		if err := i.Put(t.Context(), g.blocks[k:min(k+64, len(g.blocks))]); err != nil {
			t.Fatal(err)
		}
	}
	size, err := i.Finish(t.Context(), g.root, g.size)
	if err != nil || size != g.size {
		t.Fatalf("size %d, %v; want %d", size, err, g.size)
	}
	if err := i.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var seeds atomic.Uint32

func openEngine(t testing.TB, s vault.Reader, change func(*Config)) *Engine {
	t.Helper()
	cfg := Config{Store: s, Agent: "crust/test", Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Metrics: NewMetrics()}
	binary.BigEndian.PutUint32(cfg.Key[:], seeds.Add(1))
	if change != nil {
		change(&cfg)
	}
	e, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func origins(t testing.TB, engines ...*Engine) (list []peer.AddrInfo) {
	t.Helper()
	for _, e := range engines {
		o, err := Origins(e.Addresses())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o...)
	}
	return list
}

// verify reads a graph back.
func verify(t testing.TB, r vault.Reader, g graph) {
	t.Helper()
	for _, b := range g.blocks {
		data, err := r.Get(t.Context(), b.CID)
		if err != nil || !bytes.Equal(data, b.Data) {
			t.Fatalf("block %v: %d bytes, %v", b.CID, len(data), err)
		}
	}
}

func TestFetch(t *testing.T) {
	udp := func(c *Config) { c.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1"} }
	cases := []struct {
		name   string
		leaves int
		size   int
		change func(*Config)
	}{
		{"256 KiB blocks", 60, 256 << 10, nil},
		{"4 KiB blocks", 3000, 4 << 10, nil},
		{"2 MiB blocks", 9, dag.MaxBlock, nil},
		{"one block", 1, 100, nil},
		{"over QUIC", 60, 256 << 10, udp},
		{"limited both ways", 10, 64 << 10, func(c *Config) { c.Up, c.Down = NewLimit(64<<20), NewLimit(64<<20) }},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := makeGraph(uint64(i), c.leaves, c.size)
			from, to := openVault(t), openVault(t)
			fill(t, from, g)
			a, b := openEngine(t, from, c.change), openEngine(t, to, c.change)
			var last Progress
			size, err := b.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: origins(t, a),
				Progress: func(p Progress) { last = p }})
			if err != nil || size != g.size {
				t.Fatalf("size %d, %v; want %d", size, err, g.size)
			}
			if last != (Progress{len(g.blocks), g.size, 0}) {
				t.Errorf("last progress is %+v", last)
			}
			verify(t, to, g)
			if n := testutil.ToFloat64(b.cfg.Metrics.Fetches.WithLabelValues(resultOK)); n != 1 {
				t.Errorf("%v fetches counted", n)
			}
			if in, out := testutil.ToFloat64(b.cfg.Metrics.Bytes.WithLabelValues("in")), testutil.ToFloat64(a.cfg.Metrics.Bytes.WithLabelValues("out")); in != float64(g.size) || out < in {
				t.Errorf("%v bytes came in and %v went out, of %d", in, out, g.size)
			}
			// What was fetched is served in turn.
			third := openVault(t)
			e := openEngine(t, third, nil)
			if _, err := e.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: third, Origins: origins(t, b)}); err != nil {
				t.Error(err)
			}
		})
	}
}

// partial has only some of a vault's blocks.
type partial struct {
	vault.Reader
	has func(dag.CID) bool
}

func (p partial) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	if !p.has(c) {
		return nil, vault.ErrNotFound
	}
	return p.Reader.Get(ctx, c)
}
func (p partial) Size(ctx context.Context, c dag.CID) (int, error) {
	if !p.has(c) {
		return 0, vault.ErrNotFound
	}
	return p.Reader.Size(ctx, c)
}
func (p partial) Has(ctx context.Context, c dag.CID) (bool, error) {
	if !p.has(c) {
		return false, nil
	}
	return p.Reader.Has(ctx, c)
}

// Each of two sources has about half of the leaves.
func TestFetchFromSeveral(t *testing.T) {
	g := makeGraph(20, 300, 32<<10)
	from, to := openVault(t), openVault(t)
	fill(t, from, g)
	half := func(odd byte) func(dag.CID) bool {
		return func(c dag.CID) bool {
			sum := sha256.Sum256(c.Bytes())
			return c.Codec() != dag.Raw || sum[0]&1 == odd
		}
	}
	a, b := openEngine(t, partial{from, half(0)}, nil), openEngine(t, partial{from, half(1)}, nil)
	e := openEngine(t, to, nil)
	if _, err := e.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: origins(t, a, b), Stall: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	verify(t, to, g)
}

// A source goes away in the middle: another one has everything, or it comes back.
func TestFetchSurvivesALostSource(t *testing.T) {
	g := makeGraph(21, 200, 64<<10)
	from := openVault(t)
	fill(t, from, g)
	slow := func(c *Config) { c.Up = NewLimit(4 << 20) }
	for _, other := range []bool{true, false} {
		stall := 30 * time.Second
		if !other {
			stall = time.Hour // the connection is made again before the watchdog says that nothing comes
		}
		to := openVault(t)
		a, b, e := openEngine(t, from, slow), openEngine(t, from, nil), openEngine(t, to, nil)
		gone := false
		_, err := e.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: origins(t, a), Stall: stall, Progress: func(p Progress) {
			if p.Blocks <= 10 || gone {
				return
			}
			gone = true
			if other {
				if err := e.Connect(t.Context(), b.Addresses()...); err != nil {
					t.Error(err)
				}
			}
			if err := e.host.Network().ClosePeer(a.host.ID()); err != nil {
				t.Error(err)
			}
		}})
		if err != nil || !gone {
			t.Fatalf("with another source %v: %v", other, err)
		}
		verify(t, to, g)
	}
}

// Where origins are none, are not there or have nothing, others are looked for; where they
// have the file nobody is.
func TestFetchFinds(t *testing.T) {
	g := makeGraph(22, 40, 16<<10)
	from := openVault(t)
	fill(t, from, g)
	a, without := openEngine(t, from, nil), openEngine(t, openVault(t), nil)
	noLeaves := openEngine(t, partial{from, func(c dag.CID) bool { return c.Codec() != dag.Raw }}, nil)
	for _, c := range []struct {
		name    string
		origins []peer.AddrInfo
		stall   time.Duration
		finds   bool
	}{
		{"no origins", nil, time.Hour, true}, {"absent", absent(t), 18 * time.Second, true}, {"without the file", origins(t, without), 18 * time.Second, true},
		{"without leaves", origins(t, noLeaves), 18 * time.Second, true}, {"with all", origins(t, a), time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			to := openVault(t)
			e := openEngine(t, to, nil)
			_, err := e.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: c.origins, RootTimeout: c.stall, Stall: c.stall, Find: func(context.Context) iter.Seq[peer.AddrInfo] {
				asked.Add(1)
				return slices.Values(append(absent(t), origins(t, a, e)...))
			}})
			if err != nil {
				t.Fatal(err)
			}
			verify(t, to, g)
			if (asked.Load() > 0) != c.finds {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

func TestFetchFails(t *testing.T) {
	g := makeGraph(30, 40, 16<<10)
	from := openVault(t)
	fill(t, from, g)
	all := openEngine(t, from, nil)
	noLeaves := openEngine(t, partial{from, func(c dag.CID) bool { return c.Codec() != dag.Raw }}, nil)
	nothing := openEngine(t, openVault(t), nil)
	bad := vault.Block{Data: []byte{0xff}}
	bad.CID = dag.Sum(dag.DagCBOR, bad.Data)
	odd := openEngine(t, one{bad}, nil)

	short := 300 * time.Millisecond
	cases := []struct {
		name string
		job  Job
		want error
	}{
		{"nobody", Job{RootTimeout: short}, ErrNoSource},
		{"a source without the file", Job{RootTimeout: short, Origins: origins(t, nothing)}, ErrNoSource},
		{"a source that is not there", Job{RootTimeout: short, Origins: absent(t)}, ErrNoSource},
		{"nobody that is found", Job{RootTimeout: short, Find: func(context.Context) iter.Seq[peer.AddrInfo] { return slices.Values(origins(t, nothing)) }}, ErrNoSource},
		{"a search without an end", Job{RootTimeout: short, Find: func(ctx context.Context) iter.Seq[peer.AddrInfo] {
			return func(func(peer.AddrInfo) bool) { <-ctx.Done() }
		}}, ErrNoSource},
		{"a source that never answers", Job{RootTimeout: short, Origins: liar(t, silent)}, ErrNoSource},
		{"a source that promises only", Job{RootTimeout: short, Origins: liar(t, promising)}, ErrNoSource},
		{"a source that sends something else", Job{RootTimeout: short, Origins: liar(t, forging)}, ErrNoSource},
		{"a source that sends garbage", Job{RootTimeout: short, Origins: liar(t, babbling)}, ErrNoSource},
		{"a source without leaves", Job{Stall: short, Origins: origins(t, noLeaves)}, ErrStalled},
		{"a graph larger than ordered", Job{Limit: g.size - 1, Origins: origins(t, all)}, ErrTooLarge},
		{"a block that is none", Job{Root: bad.CID, Origins: origins(t, odd)}, ErrUnsupported},
		{"a deadline", Job{Deadline: short, Origins: origins(t, noLeaves)}, ErrLate},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			to := openVault(t)
			e := openEngine(t, to, nil)
			if c.job.Root == (dag.CID{}) {
				c.job.Root = g.root
			}
			if c.job.Limit == 0 {
				c.job.Limit = g.size
			}
			c.job.Into = to
			size, err := e.Fetch(t.Context(), c.job)
			if !errors.Is(err, c.want) || size != 0 {
				t.Errorf("got %d, %v; want %v", size, err, c.want)
			}
			if _, err := to.Graph(t.Context(), c.job.Root); !errors.Is(err, vault.ErrNotFound) {
				t.Errorf("the vault has a graph: %v", err)
			}
			if has, err := to.Has(t.Context(), c.job.Root); has || err != nil {
				t.Errorf("the vault has the root: %v, %v", has, err)
			}
			if n := testutil.ToFloat64(e.cfg.Metrics.Fetches.WithLabelValues(resultName(c.want))); n != 1 {
				t.Errorf("%v failures counted", n)
			}
		})
	}
}

// slowVault has no room before a fetch is late.
type slowVault struct{ *vault.DB }

func (slowVault) Begin(ctx context.Context, _ dag.CID, _ uint64) (vault.Sealing, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A deadline is one wherever it is met: here, in the vault.
func TestFetchLateInVault(t *testing.T) {
	g := makeGraph(31, 1, 100)
	from, to := openVault(t), openVault(t)
	fill(t, from, g)
	a, e := openEngine(t, from, nil), openEngine(t, to, nil)
	_, err := e.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: slowVault{to}, Origins: origins(t, a), Deadline: 500 * time.Millisecond})
	if !errors.Is(err, ErrLate) {
		t.Errorf("got %v", err)
	}
}

// A root that a source forgot to send is asked for anew.
func TestFetchForgottenRoot(t *testing.T) {
	data := []byte("a file of one block")
	var mu sync.Mutex
	asked := 0
	forgetful := func(d *dishonest, p peer.ID, m message.BitSwapMessage) {
		mu.Lock()
		defer mu.Unlock()
		answer := message.New(false)
		for _, e := range m.Wantlist() {
			if e.Cancel {
				continue
			}
			if asked++; asked > 1 {
				b, _ := blocks.NewBlockWithCid(data, e.Cid)
				answer.AddBlock(b)
			}
		}
		if !answer.Empty() {
			go d.send(p, answer)
		}
	}
	to := openVault(t)
	size, err := openEngine(t, to, nil).Fetch(t.Context(), Job{Root: dag.Sum(dag.Raw, data), Limit: 100, Into: to, RootTimeout: 30 * time.Second, Origins: liar(t, forgetful)})
	if err != nil || size != uint64(len(data)) {
		t.Errorf("got %d, %v", size, err)
	}
}

// Ready is called when the root is there, and may refuse what follows.
func TestFetchReady(t *testing.T) {
	g := makeGraph(40, 3, 1000)
	from, to := openVault(t), openVault(t)
	fill(t, from, g)
	a, e := openEngine(t, from, nil), openEngine(t, to, nil)
	why := errors.New("not now")
	calls := 0
	for _, answer := range []error{why, nil} {
		_, err := e.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: origins(t, a), Ready: func(context.Context) error { calls++; return answer }})
		if !errors.Is(err, answer) {
			t.Errorf("got %v, want %v", err, answer)
		}
	}
	_, err := e.Fetch(t.Context(), Job{Root: dag.Sum(dag.Raw, []byte("nowhere")), Limit: 1, Into: to, RootTimeout: 50 * time.Millisecond,
		Ready: func(context.Context) error { calls++; return nil }})
	if !errors.Is(err, ErrNoSource) || calls != 2 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// The caller's end is the caller's error, not a deadline.
func TestFetchCancelled(t *testing.T) {
	e := openEngine(t, openVault(t), nil)
	why := errors.New("the order is closed")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := e.Fetch(ctx, Job{Root: dag.Sum(dag.Raw, nil), Limit: 1, Into: openVault(t)}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

// one is a store of one block.
type one struct{ b vault.Block }

func (o one) Get(_ context.Context, c dag.CID) ([]byte, error) {
	if c != o.b.CID {
		return nil, vault.ErrNotFound
	}
	return o.b.Data, nil
}
func (o one) Size(ctx context.Context, c dag.CID) (int, error) {
	b, err := o.Get(ctx, c)
	return len(b), err
}
func (o one) Has(_ context.Context, c dag.CID) (bool, error) { return c == o.b.CID, nil }

// absent is an address where nobody listens.
func absent(t *testing.T) []peer.AddrInfo {
	o, err := Origins([]string{"/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A lie is what a dishonest node does with a request.
type lie func(*dishonest, peer.ID, message.BitSwapMessage)

// dishonest is a node that speaks Bitswap and lies.
type dishonest struct {
	t    *testing.T
	host host.Host
	net  network.BitSwapNetwork
	lie  lie
}

func (d *dishonest) ReceiveMessage(_ context.Context, p peer.ID, m message.BitSwapMessage) {
	d.lie(d, p, m)
}
func (*dishonest) ReceiveError(error)       {}
func (*dishonest) PeerConnected(peer.ID)    {}
func (*dishonest) PeerDisconnected(peer.ID) {}

func (d *dishonest) send(p peer.ID, m message.BitSwapMessage) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = d.net.SendMessage(ctx, p, m) // the other side may be gone
}

func silent(*dishonest, peer.ID, message.BitSwapMessage) {}

// promising says that it has everything and sends nothing.
func promising(d *dishonest, p peer.ID, m message.BitSwapMessage) {
	answer := message.New(false)
	for _, e := range m.Wantlist() {
		answer.AddHave(e.Cid)
	}
	d.send(p, answer)
}

// forging sends another block for each that is wanted, under its own CID: a message
// carries no CIDs that could be wrong, only what they are computed from.
func forging(d *dishonest, p peer.ID, m message.BitSwapMessage) {
	answer := message.New(false)
	for i := range m.Wantlist() {
		answer.AddBlock(blocks.NewBlock(fmt.Appendf(make([]byte, 100_000), "forged %d", i)))
		answer.AddBlockPresence(m.Wantlist()[i].Cid, bspb.Message_Have)
	}
	d.send(p, answer)
}

// babbling answers with bytes that are no message.
func babbling(d *dishonest, p peer.ID, _ message.BitSwapMessage) {
	s, err := d.host.NewStream(context.Background(), p, bsnet.ProtocolBitswap)
	if err != nil {
		return
	}
	_, _ = io.Copy(s, io.LimitReader(zeros{}, 1<<20))
	_ = s.Close()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xff
	}
	return len(b), nil
}

func liar(t *testing.T, l lie) []peer.AddrInfo {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	d := &dishonest{t: t, host: h, net: bsnet.NewFromIpfsHost(h), lie: l}
	d.net.Start(d)
	t.Cleanup(func() { d.net.Stop(); _ = h.Close() })
	return []peer.AddrInfo{{ID: h.ID(), Addrs: h.Addrs()}}
}

func TestNoPrivateAddresses(t *testing.T) {
	a := openEngine(t, openVault(t), nil)
	b := openEngine(t, openVault(t), func(c *Config) { c.NoPrivate = true })
	if err := b.Connect(t.Context(), a.Addresses()...); err == nil {
		t.Error("dialled a loopback address")
	}
	if n := len(a.host.Network().Peers()); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestOrigins(t *testing.T) {
	for _, text := range []string{"", "x", "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/x"} {
		if _, err := Origins([]string{text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if _, err := Origins(make([]string, MaxOrigins+1)); err == nil {
		t.Error("too many were taken")
	}
}

func TestListenError(t *testing.T) {
	a := openEngine(t, openVault(t), nil)
	port := a.host.Network().ListenAddresses()[0].String()
	reuse := Config{Store: openVault(t), Listen: []string{port}}
	if e, err := Open(reuse); err == nil {
		t.Error("two engines on one port")
		_ = e.Close()
	}
	if _, err := Open(Config{Store: openVault(t), Listen: []string{"tcp"}}); err == nil {
		t.Error("an address that is none")
	}
}

func benchmarkFetch(b *testing.B, leaves, size int) {
	g := makeGraph(7, leaves, size)
	from, to := openVault(b), openVault(b)
	fill(b, from, g)
	e := openEngine(b, to, nil)
	sources := origins(b, openEngine(b, from, nil))
	b.SetBytes(int64(g.size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Fetch(b.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: sources}); err != nil {
			b.Fatal(err)
		}
		if err := to.Delete(b.Context(), g.root); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFetch256KiB(b *testing.B) { benchmarkFetch(b, 256, 256<<10) }
func BenchmarkFetch4KiB(b *testing.B)   { benchmarkFetch(b, 8192, 4<<10) }
