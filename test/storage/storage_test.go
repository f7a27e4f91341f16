package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/node/storage"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// patience is when a test that waits for a condition gives up.
const patience = 5 * time.Minute

// world is a chain, and a storage node.
type world struct {
	*testnet.Net
	t      *testing.T
	ctx    context.Context
	client *client.Client
	base   string // path of the storage node
	owner  string // of the group that it joins
	w      *worker.Worker
	stop   func()
}

const (
	owner, user = "//Alice//stash", "//User"
	secondOwner = "//Charlie"
	member      = "//Bob"
	unitLeaves  = 16 // units of 1 MiB
	fillers     = 6
)

// start starts a chain of some validators, with two blocks a second; change changes its parameters.
func start(t *testing.T, validators int, change func(*runtime.Preset)) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	t.Parallel() // they wait most of the time
	n := runtime.Devnet(validators)
	n.Preset.SlotDuration = 500
	n.Preset.Storage.UnitLeaves, n.Preset.Storage.AuditOdds = unitLeaves, 1 // every heartbeat is audited
	n.Preset.Staking.SPowerRatio = fixed.FromUint64(1e12)                   // a few MiB have to matter beside what genesis grants
	change(&n.Preset)
	spec, err := n.Spec()
	if err != nil {
		t.Fatal(err)
	}
	net, err := testnet.New(testnet.Config{Program: program.Path(), Dir: t.TempDir(), Validators: validators, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	t.Cleanup(func() {
		cancel()
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := net.Start(ctx); err != nil {
		t.Fatal(err)
	}
	w := &world{Net: net, t: t, ctx: ctx, owner: owner}
	if w.client, err = client.Dial(ctx, net.Nodes[0].URL("ws"), client.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.base = shortDir(t)
	return w
}

// shortDir is a directory with a short name: the path of a socket has 107 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "storage")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func account(t *testing.T, uri string) types.AccountID {
	t.Helper()
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Account()
}

// crust runs a command against the node, and returns what it writes.
func (w *world) crust(args ...string) []byte {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, program.Path(), append(args, "--url", w.Nodes[0].URL("ws"))...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("crust %v: %v\n%s%s", args, err, &out, &errs)
	}
	return out.Bytes()
}

// startStorage runs the storage node, as `crust storage` does, with a part beside it
// that gives its worker to the test.
func (w *world) startStorage() {
	w.t.Helper()
	pair, err := crypto.ParseURI(member, crypto.Sr25519)
	w.ok(err)
	workers := make(chan *worker.Worker, 1)
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("CRUST_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	cfg := storage.Config{
		NodeURL: w.Nodes[0].URL("ws"), Owner: account(w.t, w.owner), BasePath: w.base, Pair: pair, Filler: fillers * unitLeaves * proof.LeafSize, Log: log,
		Disks:   []disk.Config{{Dir: filepath.Join(w.base, "sealed"), Limit: 40 * disk.FileSize(unitLeaves)}},
		Enclave: []string{program.Path(), "enclave", "--platform", filepath.Join(w.base, "platform.key"), "--chain", w.Spec, "--account", fmt.Sprintf("0x%x", pair.Account())},
		Engine: func(ctx context.Context, x *worker.Worker, _ *reporter.Node, _ prometheus.Registerer) error {
			workers <- x
			<-ctx.Done()
			return nil
		},
	}
	ctx, cancel := context.WithCancel(w.ctx)
	g := lifecycle.NewGroup(ctx, time.Minute)
	g.Go("storage", func(ctx context.Context) error { return storage.Run(ctx, cfg) })
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(w.stop)
	select {
	case w.w = <-workers:
	case <-w.ctx.Done():
		w.t.Fatal("the storage node did not start")
	}
}

// await waits until something holds in the best block.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	w.t.Log("waiting for", what)
	for !ok() {
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("%s: %v\n%+v", what, context.Cause(w.ctx), w.record())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// record is the chain's record of the worker.
func (w *world) record() proof.Record {
	w.t.Helper()
	return w.recordOf(member)
}

// recordOf is that of a member's worker.
func (w *world) recordOf(member string) (r proof.Record) {
	w.t.Helper()
	raw, ok, err := w.client.QueryRaw(w.ctx, client.Best, "Swork", "Records", account(w.t, member))
	w.ok(err)
	if ok {
		w.ok(scale.Decode(raw, &r))
	}
	return r
}

// field reads a number of a storage item's value; a nil key is none.
func (w *world) field(pallet, item string, key any, path ...string) *big.Int {
	w.t.Helper()
	var keys []any
	if key != nil {
		keys = append(keys, key)
	}
	v, err := w.client.Query(w.ctx, client.Best, pallet, item, keys...)
	w.ok(err)
	v, _ = metadata.Get(v, path...)
	n, ok := metadata.BigInt(v)
	if !ok {
		return new(big.Int)
	}
	return n
}

// slots waits until the worker has reported in some more slots, none of which it missed.
func (w *world) slots(n uint64) {
	w.t.Helper()
	until := w.record().Counter + n
	w.await(fmt.Sprintf("%d heartbeats", n), func() bool { return w.record().Counter >= until })
	lineage := w.w.Identity().Lineage
	v, err := w.client.Query(w.ctx, client.Best, "Swork", "Workers", metadata.Bytes(lineage[:]))
	w.ok(err)
	missed, _ := metadata.Get(v, "missed")
	if m, ok := metadata.BigInt(missed); !ok || m.Sign() != 0 {
		w.t.Fatalf("the worker missed slots: %v", v)
	}
}

// file is a graph of random blocks.
func file(blocks, size int) (root dag.CID, content map[dag.CID][]byte, total int) {
	content = map[dag.CID][]byte{}
	from := rand.NewChaCha8([32]byte{1})
	var node []byte
	for range blocks {
		b := make([]byte, size)
		from.Read(b)
		c := dag.Sum(dag.Raw, b)
		content[c] = b
		link := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c.Bytes()))), c.Bytes()...)
		node = append(binary.AppendUvarint(append(node, 2<<3|2), uint64(len(link))), link...)
	}
	node = append(node, 1<<3|2, 0)
	root = dag.Sum(dag.DagPB, node)
	content[root] = node
	for _, b := range content {
		total += len(b)
	}
	return root, content, total
}

// seal seals a file.
func (w *world) seal(root dag.CID, content map[dag.CID][]byte, limit int) {
	w.t.Helper()
	s, err := storage.Vault{W: w.w}.Begin(w.ctx, root, uint64(limit))
	w.ok(err)
	for want := []dag.CID{root}; len(want) > 0; {
		more, err := s.Put(w.ctx, []vault.Block{{CID: want[0], Data: content[want[0]]}})
		w.ok(err)
		want = append(want[1:], more...)
	}
	_, err = s.Commit(w.ctx)
	w.ok(err)
}

// said is what a command says; begun is closed with its first words.
type said struct {
	text  bytes.Buffer
	begun chan struct{}
	first sync.Once
}

func (s *said) Write(b []byte) (int, error) {
	defer s.first.Do(func() { close(s.begun) })
	return s.text.Write(b)
}

// watch begins `crust file status --watch`, and waits until it has told the first stage; what it
// returns waits for its end, and checks that it told each.
func (w *world) watch(file string) (wait func()) {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, program.Path(), "file", "status", file, "--watch", "--url", w.Nodes[0].URL("ws"))
	out := &said{begun: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	w.ok(cmd.Start())
	select {
	case <-out.begun:
	case <-w.ctx.Done():
		w.t.Fatal("watch says nothing")
	}
	return func() {
		w.t.Helper()
		if err := cmd.Wait(); err != nil {
			w.t.Fatalf("watch: %v\n%s", err, &out.text)
		}
		stages := regexp.MustCompile(`^Block \d+: ordered; 0 live, 0 reported, 20 wanted\nBlock \d+: reported 1/20; 0 live, 1 reported, 20 wanted\nBlock \d+: live until \d+; 1 live, 1 reported, 20 wanted\n$`)
		if !stages.Match(out.text.Bytes()) {
			w.t.Errorf("watch says\n%s", &out.text)
		}
	}
}

// proves waits until a final block has the replica live, and checks the proof of it
// without a node.
func (w *world) proves(file string, size int) {
	w.t.Helper()
	name := filepath.Join(w.base, "file.proof")
	w.await("a proof of the live replica", func() bool {
		w.crust("file", "proof", file, "-o", name, "--chain", w.Spec)
		out, err := exec.CommandContext(w.ctx, program.Path(), "file", "verify-proof", name, "--chain", w.Spec, "--json").Output()
		w.ok(err)
		var p struct {
			Size    int
			Live    int
			Holders []struct{ Live bool }
		}
		w.ok(json.Unmarshal(out, &p))
		if p.Size != size || len(p.Holders) != 1 {
			w.t.Fatalf("it proves %s", out)
		}
		return p.Live == 1 && p.Holders[0].Live
	})
}

// state is the file of the enclave's state.
func (w *world) state() string { return filepath.Join(w.base, "enclave.state") }

// group makes a group that a member may join.
func (w *world) group(owner string, members ...string) {
	w.t.Helper()
	w.crust("group", "create", "--suri", owner, "--wait", "inblock")
	for _, m := range members {
		w.crust("group", "allow", m, "--suri", owner, "--wait", "inblock")
	}
}

// holds checks that a file can be read back.
func (w *world) holds(content map[dag.CID][]byte) {
	w.t.Helper()
	for c, b := range content {
		got, err := w.w.Get(w.ctx, c)
		if err != nil || !bytes.Equal(got, b) {
			w.t.Fatalf("block %v: %v", c, err)
		}
	}
}

// replicas is a number that the market tells of a file's order.
func (w *world) replicas(file, field string) int64 {
	w.t.Helper()
	v, err := w.client.Call(w.ctx, client.Best, "MarketApi", "order", metadata.Bytes(file))
	w.ok(err)
	v, _ = metadata.Get(v, field)
	n, ok := metadata.BigInt(v)
	if !ok {
		return -1
	}
	return n.Int64()
}

// A storage node registers, proves free space in every slot, answers every audit and
// counts for its owner; a file that was ordered is sealed and reported, and its replica is
// live, over a restart of node and enclave from an older state. In another group it
// reports the file again, and its index is made again when it is lost.
func TestFromRegistrationToReplica(t *testing.T) {
	w := start(t, 1, func(p *runtime.Preset) {
		p.Storage.AttestPeriod = 40_000 // ms: it has to attest again in the course of the test
		p.Market.PendingLife *= 4       // a slow machine is no reason for an order to end
	})
	w.group(owner, member)
	before := w.field("Staking", "StakeLimit", account(t, owner))
	w.startStorage()
	w.await("the registration", func() bool { return w.record().Key == w.w.Identity().Key })
	w.await("free space in the plan", func() bool { return w.record().Plan.Filler == fillers*unitLeaves })
	stale, err := os.ReadFile(w.state())
	w.ok(err)
	w.slots(3)
	w.await("the owner's stake limit to follow", func() bool {
		return w.field("Staking", "StakeLimit", account(t, owner)).Cmp(before) > 0
	})
	var group struct {
		Members []struct {
			State       string
			FillerBytes uint64
		}
	}
	w.ok(json.Unmarshal(w.crust("group", "members", owner, "--json"), &group))
	if len(group.Members) != 1 || group.Members[0].State != "reports" || group.Members[0].FillerBytes != fillers*unitLeaves*proof.LeafSize {
		t.Fatalf("%+v", group)
	}

	root, content, size := file(20, 100_000)
	w.crust("tx", "market", "placeStorageOrder", root.String(), strconv.Itoa(size+1000), "0", "", "--suri", user, "--wait", "inblock")
	watched := w.watch(root.String())
	w.seal(root, content, size)
	w.await("the file report", func() bool { return w.record().Changes == 1 })
	if got := w.record().FilesSize; got != uint64(size) {
		t.Fatalf("%d bytes of files on the chain, the file has %d", got, size)
	}
	w.slots(1)
	w.stop()
	w.ok(os.WriteFile(w.state(), stale, 0o600)) // of some reports before: it goes on from the chain's
	w.startStorage()
	w.holds(content)
	w.slots(2)
	w.await("a live replica", func() bool { return w.replicas(root.String(), "live_replicas") == 1 })
	watched()
	w.proves(root.String(), size)

	// Another group, and the index is lost on the way.
	w.stop()
	w.crust("group", "quit", "--suri", member, "--wait", "inblock")
	w.group(secondOwner, member)
	w.crust("group", "join", secondOwner, "--suri", member, "--wait", "inblock")
	w.await("the replica to leave with the group", func() bool { return w.replicas(root.String(), "replicas") == 0 })
	w.owner = secondOwner
	w.startStorage()
	w.await("the file to be reported for the new owner", func() bool { return w.record().Changes == 2 && w.replicas(root.String(), "replicas") == 1 })
	w.stop()
	w.ok(os.RemoveAll(filepath.Join(w.base, "index")))
	w.startStorage()
	w.holds(content)
	w.await("a live replica again", func() bool { return w.replicas(root.String(), "live_replicas") == 1 })
	w.slots(1)
	if got := w.record().Changes; got != 2 {
		t.Errorf("%d changes of files were told", got)
	}
	if err := w.Check(w.ctx); err != nil {
		t.Fatal(err)
	}
}
