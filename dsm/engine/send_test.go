package engine

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/boxo/bitswap/message"
	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	blocks "github.com/ipfs/go-block-format"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	libnetwork "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// counting counts the streams that are opened, but for those that are closed after idleStream: a
// slow machine may need that long for what comes before the next message.
type counting struct {
	host.Host
	streams atomic.Int32
}

func (c *counting) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (libnetwork.Stream, error) {
	c.streams.Add(1)
	s, err := c.Host.NewStream(ctx, p, protocols...)
	return &dated{s, c, time.Now()}, err
}

// dated is a stream that knows when it was written to. It belongs to one message at a time.
type dated struct {
	libnetwork.Stream
	c    *counting
	last time.Time
}

func (d *dated) Write(b []byte) (int, error) {
	d.last = time.Now()
	return d.Stream.Write(b)
}

func (d *dated) Close() error {
	if time.Since(d.last) >= idleStream {
		d.c.streams.Add(-1)
	}
	return d.Stream.Close()
}

type counted struct {
	network.BitSwapNetwork
	host *counting
}

func (c counted) Host() host.Host { return c.host }

// idleOf is how many streams are kept for all peers.
func (n *sender) idleOf() (sum int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, list := range n.idle {
		sum += len(list)
	}
	return sum
}

// TestStreamsAreKept counts the streams over which a graph of many messages is sent, and waits
// until they are closed.
func TestStreamsAreKept(t *testing.T) {
	g := makeGraph(1, 200, 256<<10)
	from, to := openVault(t), openVault(t)
	fill(t, from, g)
	a, b := openEngine(t, from, nil), openEngine(t, to, nil)
	s := a.network.(*sender)
	c := counted{s.BitSwapNetwork, &counting{Host: a.host}}
	s.BitSwapNetwork = c
	if _, err := b.Fetch(t.Context(), Job{Root: g.root, Limit: g.size, Into: to, Origins: origins(t, a)}); err != nil {
		t.Fatal(err)
	}
	verify(t, to, g)
	if n := c.host.streams.Load(); n > 2*sendWorkers {
		t.Errorf("%d streams for %d blocks", n, len(g.blocks))
	}
	if n := s.idleOf(); n > sendWorkers {
		t.Errorf("%d streams are kept, by %d who send", n, sendWorkers)
	}
	for deadline := time.Now().Add(60 * idleStream); s.idleOf() > 0; time.Sleep(idleStream / 20) {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are kept for ever", s.idleOf())
		}
	}
}

// hosts are two that can connect, of which the second receives messages until it has read some number.
func hosts(t *testing.T, reads int) (n *sender, to peer.AddrInfo, got chan message.BitSwapMessage) {
	t.Helper()
	var all [2]host.Host
	for i := range all {
		var err error
		if all[i], err = libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = all[i].Close() })
	}
	got = make(chan message.BitSwapMessage, reads)
	for _, p := range protocols {
		all[1].SetStreamHandler(p, func(s libnetwork.Stream) {
			for len(got) < reads {
				m, _, err := message.FromNet(s)
				if err != nil {
					return
				}
				got <- m
			}
		})
	}
	return newSender(bsnet.NewFromIpfsHost(all[0])), peer.AddrInfo{ID: all[1].ID(), Addrs: all[1].Addrs()}, got
}

// messageOf is a message with one block.
func messageOf(b []byte) message.BitSwapMessage {
	m := message.New(false)
	m.AddBlock(blocks.NewBlock(b))
	return m
}

// TestStreamThatEnded sends over a connection that took the place of another.
func TestStreamThatEnded(t *testing.T) {
	n, to, got := hosts(t, 1)
	for i := range 3 {
		if err := n.Connect(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if err := n.SendMessage(t.Context(), to.ID, messageOf([]byte{byte(i)})); err != nil {
			t.Fatal(err)
		}
		if r := (<-got).Blocks(); len(r) != 1 || r[0].RawData()[0] != byte(i) {
			t.Errorf("message %d has blocks %v", i, r)
		}
		if err := n.DisconnectFrom(t.Context(), to.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamNobodyReads sends more than fits on its way to a peer that stopped to read.
func TestStreamNobodyReads(t *testing.T) {
	n, to, got := hosts(t, 1)
	if err := n.Connect(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if err := n.SendMessage(t.Context(), to.ID, messageOf([]byte{1})); err != nil {
		t.Fatal(err)
	}
	for len(got) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := n.SendMessage(ctx, to.ID, messageOf(make([]byte, dag.MaxBlock))); err == nil {
		t.Error("it was sent")
	}
	if d := time.Since(start); d > mostTime/2 { // what a message of this size may take, were it not for ctx
		t.Errorf("it took %v to give up", d)
	}
	if k := n.idleOf(); k != 0 {
		t.Errorf("%d streams are kept", k)
	}
}

// writes notes how many bytes each write had.
type writes struct {
	bytes.Buffer
	sizes []int
}

func (w *writes) Write(b []byte) (int, error) {
	w.sizes = append(w.sizes, len(b))
	return w.Buffer.Write(b)
}

// TestWriteMessage has boxo read what is written.
func TestWriteMessage(t *testing.T) {
	for _, sizes := range [][]int{nil, {0}, {1, 2, 3}, {256 << 10, 256 << 10}, {frameBytes}, {frameBytes - 100, 100, 3 * frameBytes}, {dag.MaxBlock}} {
		m := message.New(true)
		for i, size := range sizes {
			m.AddBlock(blocks.NewBlock(bytes.Repeat([]byte{byte(i + 1)}, size)))
		}
		m.AddHave(blocks.NewBlock([]byte("have")).Cid())
		m.AddDontHave(blocks.NewBlock([]byte("have not")).Cid())
		m.AddEntry(blocks.NewBlock([]byte("want")).Cid(), 7, 0, true)
		m.SetPendingBytes(300)
		var ours writes
		if err := writeMessage(&ours, m); err != nil {
			t.Fatal(err)
		}
		for i, n := range ours.sizes {
			if n > frameBytes || n < frameBytes && i < len(ours.sizes)-1 {
				t.Errorf("%v: writes of %v bytes", sizes, ours.sizes)
			}
		}
		r, _, err := message.FromNet(&ours)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Blocks()) != len(m.Blocks()) || len(r.BlockPresences()) != 2 || len(r.Wantlist()) != 1 || r.PendingBytes() != 300 || !r.Full() {
			t.Errorf("%v: read back %v", sizes, r.Loggable())
		}
		for _, b := range m.Blocks() { // boxo makes CIDs of the bytes that came
			if !slices.ContainsFunc(r.Blocks(), func(got blocks.Block) bool { return got.Cid().Equals(b.Cid()) }) {
				t.Errorf("%v: block %v did not come", sizes, b.Cid())
			}
		}
	}
	if err := writeMessage(failing{}, message.New(false)); err == nil {
		t.Error("an error of the stream is lost")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestLent reads large and small blocks in turns: memory that is given back is used again, and a
// small block does not hold that of a large one.
func TestLent(t *testing.T) {
	db := openVault(t)
	large, small := makeGraph(1, 8, 256<<10), makeGraph(2, 8, 100)
	fill(t, db, large)
	fill(t, db, small)
	s := served(store{Reader: db, m: NewMetrics()})
	for range 3 {
		var all []blocks.Block
		for i := range 16 {
			b := []vault.Block{large.blocks[i/2], small.blocks[i/2]}[i%2]
			got, err := s.Get(t.Context(), toCid(b.CID))
			if err != nil {
				t.Fatal(err)
			}
			if n := cap(got.RawData()); n > 2*len(b.Data) {
				t.Errorf("a block of %d bytes holds %d", len(b.Data), n)
			}
			if !bytes.Equal(got.RawData(), b.Data) || !got.Cid().Equals(toCid(b.CID)) {
				t.Fatalf("block %v is another", b.CID)
			}
			all = append(all, got)
		}
		for i, got := range all { // none was overwritten by the next
			if b := []vault.Block{large.blocks[i/2], small.blocks[i/2]}[i%2]; !bytes.Equal(got.RawData(), b.Data) {
				t.Fatalf("block %v has changed", b.CID)
			}
		}
		giveBack(all)
	}
	if _, err := s.Get(t.Context(), blocks.NewBlock([]byte("nobody has it")).Cid()); err == nil {
		t.Error("a block that is not there was read")
	}
}
