package routing

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	pebbleds "github.com/ipfs/go-ds-pebble"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p-kad-dht/provider/stats"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	libnetwork "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/crustgo/crust/mpow/dag"
)

const patience = time.Minute

func newHost(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// open joins the directory of this machine's network.
func open(t *testing.T, h host.Host, dir string, part Part, peers ...host.Host) *Directory {
	t.Helper()
	cfg := Config{Host: h, Local: true, Part: part, Dir: dir, Retry: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, p := range peers {
		cfg.Peers = append(cfg.Peers, *host.InfoFromHost(p))
	}
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run runs a directory until stop is called.
func run(t *testing.T, d *Directory) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// network is servers that know each other.
func network(t *testing.T, n int) (hosts []host.Host) {
	t.Helper()
	for range n {
		h := newHost(t)
		run(t, open(t, h, t.TempDir(), Server, hosts...))
		hosts = append(hosts, h)
	}
	return hosts
}

func file(i byte) dag.CID { return dag.Sum(dag.Raw, []byte{i}) }

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// connect connects two nodes: libp2p gives up a dial on this machine after five seconds, and dials
// again some seconds later.
func connect(t *testing.T, from, to host.Host) {
	t.Helper()
	eventually(t, "connecting", func() bool { return from.Connect(t.Context(), *host.InfoFromHost(to)) == nil })
}

// finds reports whether a directory knows that a node has a file.
func finds(t *testing.T, d *Directory, c dag.CID, h host.Host) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience/3) // it ends by itself, as soon as nobody is left to ask
	defer cancel()
	for p := range d.Find(ctx, c, 10) {
		if p.ID == h.ID() {
			return len(p.Addrs) > 0
		}
	}
	return false
}

func TestAnnounceAndFind(t *testing.T) {
	servers := network(t, 3)
	has, wants := newHost(t), newHost(t)
	a, b := open(t, has, t.TempDir(), Client, servers[0]), open(t, wants, t.TempDir(), Client, servers[1])
	run(t, a)
	run(t, b)
	a.Announce([]dag.CID{file(1), file(2)})
	for i := range byte(2) {
		eventually(t, "finding", func() bool { return finds(t, b, file(1+i), has) })
	}
	if finds(t, a, file(1), has) {
		t.Error("it finds itself")
	}
	if finds(t, b, file(3), has) {
		t.Error("it finds what nobody has")
	}
	if a.Peers() == 0 || b.Peers() == 0 {
		t.Errorf("%d and %d nodes are known", a.Peers(), b.Peers())
	}
}

// What was said before anybody could be told is told when somebody comes.
func TestAnnounceAlone(t *testing.T) {
	alone, server := newHost(t), newHost(t)
	a := open(t, alone, t.TempDir(), Client)
	run(t, a)
	a.Announce([]dag.CID{file(1)})
	time.Sleep(200 * time.Millisecond) // it tries
	if n := a.told.Load(); n != 0 {
		t.Fatalf("%d files are announced to nobody", n)
	}
	s := open(t, server, t.TempDir(), Server)
	run(t, s)
	connect(t, alone, server)
	eventually(t, "finding", func() bool { return finds(t, s, file(1), alone) })
}

// A node that is a server where it can keeps nothing for others before one of them has reached it.
func TestAuto(t *testing.T) {
	for name, c := range map[string]struct {
		answer string // to whoever asks to be dialled, as AutoNAT has it
		server bool
	}{
		"reached":     {"\x06\x08\x01\x1a\x02\x08\x00", true},
		"not reached": {"\x06\x08\x01\x1a\x02\x08\x64", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public := ma.StringCast("/ip4/198.41.0.4/tcp/4001") // nobody who tells none is asked
			other, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.AddrsFactory(func(all []ma.Multiaddr) []ma.Multiaddr { return append(all, public) }))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			var asked atomic.Int32
			other.SetStreamHandler("/libp2p/autonat/1.0.0", func(s libnetwork.Stream) {
				_, err := s.Read(make([]byte, 1<<10))
				if err == nil {
					_, err = s.Write([]byte(c.answer))
				}
				if err = errors.Join(err, s.Close()); err != nil {
					t.Log(err)
				}
				asked.Add(1)
			})
			h := newHost(t)
			d, err := Open(Config{Host: h, Part: Auto, Dir: t.TempDir(), Peers: []peer.AddrInfo{*host.InfoFromHost(other)}, Retry: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if d.serves() {
				t.Error("it is a server before anybody was asked")
			}
			run(t, d)
			eventually(t, "asking", func() bool { return asked.Load() > 0 })
			if c.server {
				eventually(t, "serving", d.serves)
				return
			}
			for range 20 {
				if time.Sleep(20 * time.Millisecond); d.serves() {
					t.Fatal("it is a server that nobody reaches")
				}
			}
		})
	}
	local := open(t, newHost(t), t.TempDir(), Auto)
	run(t, local)
	if !local.serves() {
		t.Error("it is no server in a local network")
	}
	client := open(t, newHost(t), t.TempDir(), Client)
	run(t, client)
	if client.serves() {
		t.Error("a client is a server")
	}
}

// Who is not there at the start is tried again.
func TestMeetLater(t *testing.T) {
	away := new(door)
	late, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.ConnectionGater(away))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = late.Close() })
	early := newHost(t)
	d := open(t, early, t.TempDir(), Client, late)
	run(t, d)
	d.Announce([]dag.CID{file(1)})
	eventually(t, "trying", func() bool { return away.refused.Load() > 0 })
	s := open(t, late, t.TempDir(), Server)
	run(t, s)
	away.open.Store(true)
	eventually(t, "finding", func() bool { return finds(t, s, file(1), early) })
}

// door refuses who comes until it is open: a port where nobody listens yet might be another's by
// the time somebody does.
type door struct {
	open    atomic.Bool
	refused atomic.Int32
}

func (d *door) InterceptAccept(libnetwork.ConnMultiaddrs) bool {
	if d.open.Load() {
		return true
	}
	d.refused.Add(1)
	return false
}
func (*door) InterceptPeerDial(peer.ID) bool               { return true }
func (*door) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }
func (*door) InterceptSecured(libnetwork.Direction, peer.ID, libnetwork.ConnMultiaddrs) bool {
	return true
}
func (*door) InterceptUpgraded(libnetwork.Conn) (bool, control.DisconnectReason) { return true, 0 }

// A directory that was closed when all was told tells only what is new, one that was killed
// all; what is gone is not told again.
func TestRestart(t *testing.T) {
	servers := network(t, 2)
	h, dir := newHost(t), t.TempDir()
	d := open(t, h, dir, Client, servers...)
	stop := run(t, d)
	d.Announce([]dag.CID{file(1), file(2)})
	eventually(t, "announcing", func() bool {
		s, err := d.sweeper.Stats(t.Context())
		return err == nil && s.Operations.Past.KeysProvided == 2 && s.Operations.Ongoing == (stats.OngoingOperations{})
	})
	stop()
	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	unclean(t, killed)

	known := func(d *Directory) int {
		n, err := d.keys.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	closed := open(t, h, dir, Client, servers...)
	if closed.all || known(closed) != 2 {
		t.Errorf("after a stop it tells all (%v), or has forgotten: it knows %d files", closed.all, known(closed))
	}
	stop = run(t, closed)
	closed.Announce([]dag.CID{file(2), file(3), file(4)})
	eventually(t, "announcing", func() bool { return closed.told.Load() == 3 && known(closed) == 3 })
	stop()

	again := open(t, h, killed, Client, servers...)
	if !again.all {
		t.Error("after a kill it does not tell all")
	}
	fresh := open(t, newHost(t), t.TempDir(), Server) // nobody has told it anything
	run(t, fresh)
	run(t, again)
	connect(t, h, fresh.cfg.Host)
	eventually(t, "meeting", func() bool { return again.Peers() == 3 })
	again.Announce([]dag.CID{file(1), file(2)})
	eventually(t, "finding", func() bool { return finds(t, fresh, file(1), h) && finds(t, fresh, file(2), h) })
}

// unclean makes a closed directory's store one that was killed.
func unclean(t *testing.T, dir string) {
	t.Helper()
	db, err := pebbleds.NewDatastore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Delete(t.Context(), clean), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// The handlers of a server may still run when it is closed.
func TestFence(t *testing.T) {
	d := open(t, newHost(t), t.TempDir(), Server)
	key := datastore.NewKey("/dht/x")
	if err := d.fence.Put(t.Context(), key, []byte{1}); err != nil {
		t.Fatal(err)
	}
	d.fence.usage = func(context.Context) (uint64, error) { return maxStored + 1, nil }
	var err error
	for range usageWrites {
		err = d.fence.Put(t.Context(), key, []byte{1})
	}
	if !errors.Is(err, errFull) {
		t.Errorf("a full store takes more: %v", err)
	}
	if err := d.fence.Delete(t.Context(), key); err != nil {
		t.Errorf("a full store deletes nothing: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, get := d.fence.Get(t.Context(), key)
	_, has := d.fence.Has(t.Context(), key)
	_, size := d.fence.GetSize(t.Context(), key)
	for what, err := range map[string]error{"get": get, "has": has, "size": size, "put": d.fence.Put(t.Context(), key, nil), "delete": d.fence.Delete(t.Context(), key), "sync": d.fence.Sync(t.Context(), key)} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s of a closed store: %v", what, err)
		}
	}
}

// It does not matter which of a directory and its host is closed first.
func TestCloseAfterHost(t *testing.T) {
	servers := network(t, 1)
	h := newHost(t)
	d := open(t, h, t.TempDir(), Client, servers...)
	stop := run(t, d)
	d.Announce([]dag.CID{file(1)})
	eventually(t, "announcing", func() bool { return d.told.Load() == 1 })
	_ = h.Close()
	stop()
}

func TestOpenFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Host: newHost(t), Dir: name}); err == nil {
		t.Error("a file serves as a directory")
	}
}

// The public directory begins at the public network's own nodes, and takes in nobody whose
// address is private.
func TestPublic(t *testing.T) {
	servers := network(t, 1)
	d, err := Open(Config{Host: newHost(t), Dir: t.TempDir(), Peers: []peer.AddrInfo{*host.InfoFromHost(servers[0])}})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, d.cfg.Host, servers[0])
	time.Sleep(200 * time.Millisecond)
	if d.Peers() != 0 {
		t.Errorf("%d nodes of the local network are in it", d.Peers())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
