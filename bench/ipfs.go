package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/node/devnet"
	"github.com/crustgo/crust/substrate/crypto"
)

// IPFSCase says how much is moved between kubo and a storage node or a gateway.
type IPFSCase struct {
	Kubo     string // path of the program, made by make kubo
	Large    int64  // bytes of a file in blocks of 256 KiB
	Small    int64  // bytes of a file in blocks of 4 KiB
	Parallel int    // files that are fetched at once, together as large as Large
	Clients  int    // that ask for blocks at once
	Requests int    // of each client
	Repeat   int    // how often all of it is done
}

// IPFSResult has one pair for each repetition; all but FirstByte and Memory are in
// bytes a second.
type IPFSResult struct {
	Upload    []Pair // through the gateway, and ipfs add
	Ingest    []Pair // kubo to storage node, and kubo to kubo
	Small     []Pair // the same in blocks of 4 KiB, and with a window of 64 blocks into a plain vault
	Parallel  []Pair // files at once, and one after the other
	Busy      []float64
	CAR       []Pair // archives by HTTP
	Serve     []Pair // storage node to kubo, and kubo to kubo
	FirstByte []Pair // seconds, p99
	Disk      []float64
	Storage   int64 // bytes of memory of the storage node at its highest
	Enclave   int64
}

// Pair is a figure of ours and one of a peer, measured one after the other.
type Pair struct{ Ours, Peer float64 }

// Ratio is ours over the peer's.
func (p Pair) Ratio() float64 { return p.Ours / p.Peer }

// Block sizes of files.
const (
	largeBlock = 256 << 10
	smallBlock = 4 << 10
)

// smallWindow is how many blocks whoever is compared with asks for at once.
const smallWindow = 64

// IPFS measures a network of the real program, a validator, a storage node with its
// enclave and a gateway, against two daemons of kubo on the same machine. Both sides
// take turns; every repetition has files of its own.
func IPFS(ctx context.Context, binary string, c IPFSCase) (r IPFSResult, err error) {
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n := &ipfsRun{IPFSCase: c, dir: dir, result: &r}
	if n.a, err = StartKubo(ctx, c.Kubo, filepath.Join(dir, "a")); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.a.Stop()) }()
	if n.b, err = StartKubo(ctx, c.Kubo, filepath.Join(dir, "b")); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.b.Stop()) }()
	stop, err := n.startNetwork(ctx, binary)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for i := range c.Repeat {
		if err := n.repeat(ctx, i); err != nil {
			return r, err
		}
	}
	return r, n.memory()
}

// ipfsRun is a measurement.
type ipfsRun struct {
	IPFSCase
	dir     string
	a, b    *Kubo // a has the files, b fetches them
	storage *devnet.Storage
	gateway *devnet.Gateway
	chain   *client.Client
	user    crypto.Pair
	files   int
	result  *IPFSResult
}

// portsOf finds a row of ports of which none is taken now.
func portsOf(n int) (int, error) {
	for base := 12_000 + os.Getpid()*7%1000*10; base < 32_000; base += 10 {
		free := true
		for p := base; free && p < base+n; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if free = err == nil; free {
				free = l.Close() == nil
			}
		}
		if free {
			return base, nil
		}
	}
	return 0, fmt.Errorf("there are no %d free ports in a row", n)
}

// startNetwork starts crust devnet and waits until all of it answers.
func (n *ipfsRun) startNetwork(ctx context.Context, binary string) (stop func() error, err error) {
	base, err := portsOf(30)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(n.dir, "net")
	cmd := exec.CommandContext(ctx, binary, "devnet", "--validators", "1", "--storage", "1", "--gateways", "1", "--srd", "64MiB", "--base-path", dir, "--base-port", strconv.Itoa(base))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() error {
		if n.chain != nil {
			n.chain.Close()
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		return <-ended
	}
	for {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the network ended: %w: %s", err, &said)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), stop())
		case <-time.After(100 * time.Millisecond):
		}
		text, err := os.ReadFile(filepath.Join(dir, devnet.FileName))
		if err != nil {
			continue // not yet
		}
		var f devnet.File
		if err := json.Unmarshal(text, &f); err != nil {
			continue // not all of it
		}
		n.storage, n.gateway = &f.Storage[0], &f.Gateways[0]
		if n.chain, err = client.Dial(ctx, f.Validators[0].RPC, client.Config{}); err == nil {
			n.user, err = crypto.ParseURI("//User", crypto.Sr25519)
		}
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		return stop, nil
	}
}

// file writes a file that nobody had before.
func (n *ipfsRun) file(size int64) (path string, err error) {
	n.files++
	path = filepath.Join(n.dir, fmt.Sprint(n.files))
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{byte(n.files), byte(n.files >> 8)}), size)
	return path, errors.Join(err, f.Close())
}

// timed is how many bytes a second something moves.
func timed(size int64, f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return float64(size) / time.Since(start).Seconds(), err
}

// turns measures both sides, in an order that changes.
func turns(first bool, ours, peer func() (float64, error)) (p Pair, err error) {
	sides := []func() error{
		func() (err error) { p.Ours, err = ours(); return err },
		func() (err error) { p.Peer, err = peer(); return err },
	}
	if !first {
		slices.Reverse(sides)
	}
	for _, f := range sides {
		if err := f(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// repeat measures everything once.
func (n *ipfsRun) repeat(ctx context.Context, i int) error {
	first := i%2 == 0
	path, err := n.file(n.Large)
	if err != nil {
		return err
	}
	disk, err := n.disk(path)
	if err != nil {
		return err
	}
	n.result.Disk = append(n.result.Disk, disk)
	root, err := n.upload(ctx, path, first)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := n.ingest(ctx, root, first); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	if err := n.small(ctx, first); err != nil {
		return fmt.Errorf("ingest of small blocks: %w", err)
	}
	if err := n.parallel(ctx); err != nil {
		return fmt.Errorf("ingest of several files: %w", err)
	}
	if err := n.retrieve(ctx, root, first); err != nil {
		return fmt.Errorf("retrieval: %w", err)
	}
	return nil
}

// disk writes a copy of a file durably, as units are: in pieces of 16 MiB.
func (n *ipfsRun) disk(path string) (float64, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	f, err := os.Create(path + ".disk")
	if err != nil {
		return 0, err
	}
	rate, err := timed(int64(len(content)), func() error {
		for piece := range slices.Chunk(content, 16<<20) {
			if _, err := f.Write(piece); err != nil {
				return err
			}
			if err := syscall.Fdatasync(int(f.Fd())); err != nil {
				return err
			}
		}
		return nil
	})
	return rate, errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// upload gives a file to kubo and to the gateway, which say the same CID.
func (n *ipfsRun) upload(ctx context.Context, path string, first bool) (root string, err error) {
	var ours string
	p, err := turns(first, func() (float64, error) {
		return timed(n.Large, func() (err error) {
			ours, err = upload(ctx, n.gateway.HTTP+"/api/v0/add", n.gateway.Token, path)
			return err
		})
	}, func() (float64, error) {
		return timed(n.Large, func() (err error) { root, err = n.a.Add(ctx, path, largeBlock); return err })
	})
	if err == nil && ours != root {
		err = fmt.Errorf("the gateway says %s and kubo %s", ours, root)
	}
	n.result.Upload = append(n.result.Upload, p)
	return root, err
}

// fetchByKubo has b fetch a graph.
func (n *ipfsRun) fetchByKubo(ctx context.Context, size int64, root, source string) (float64, error) {
	return timed(size, func() error { return n.b.Fetch(ctx, root, source) })
}

func (n *ipfsRun) ingest(ctx context.Context, root string, first bool) error {
	p, err := turns(first, func() (float64, error) {
		seconds, err := n.order(ctx, root)
		return float64(n.Large) / seconds, err
	}, func() (float64, error) { return n.fetchByKubo(ctx, n.Large, root, n.a.Address) })
	n.result.Ingest = append(n.result.Ingest, p)
	return err
}

// small fetches a file in small blocks, with a wide and with a narrow window.
func (n *ipfsRun) small(ctx context.Context, first bool) error {
	path, err := n.file(n.Small)
	if err != nil {
		return err
	}
	root, err := n.a.Add(ctx, path, smallBlock)
	if err != nil {
		return err
	}
	p, err := turns(first, func() (float64, error) {
		seconds, err := n.order(ctx, root)
		return float64(n.Small) / seconds, err
	}, func() (float64, error) { return n.narrow(ctx, root) })
	n.result.Small = append(n.result.Small, p)
	return err
}

// narrow fetches a graph in this process with few wants in flight, into a vault that
// neither seals nor syncs before the end.
func (n *ipfsRun) narrow(ctx context.Context, root string) (rate float64, err error) {
	dir := filepath.Join(n.dir, "narrow")
	v, err := vault.Open(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.Close(), os.RemoveAll(dir)) }()
	e, err := engine.Open(engine.Config{Key: [32]byte{1}, Store: v, Wants: smallWindow})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	origins, err := engine.Origins([]string{n.a.Address})
	if err != nil {
		return 0, err
	}
	key, err := dag.Parse(root)
	if err != nil {
		return 0, err
	}
	return timed(n.Small, func() error {
		_, err := e.Fetch(ctx, engine.Job{Root: key, Limit: 1 << 40, Into: v, Origins: origins})
		return err
	})
}

// parallel fetches files one after the other, and others like them at once.
func (n *ipfsRun) parallel(ctx context.Context) error {
	size := n.Large / int64(n.Parallel)
	var roots []string
	for range 2 * n.Parallel {
		path, err := n.file(size)
		if err != nil {
			return err
		}
		root, err := n.a.Add(ctx, path, largeBlock)
		if err := errors.Join(err, os.Remove(path)); err != nil {
			return err
		}
		roots = append(roots, root)
	}
	var p Pair
	seconds := 0.0
	for _, root := range roots[n.Parallel:] {
		one, err := n.order(ctx, root)
		if err != nil {
			return err
		}
		seconds += one
	}
	p.Peer = float64(size*int64(n.Parallel)) / seconds
	before, err := n.cpu()
	if err != nil {
		return err
	}
	wall, err := n.orderAll(ctx, roots[:n.Parallel])
	if err != nil {
		return err
	}
	after, err := n.cpu()
	p.Ours = float64(size*int64(n.Parallel)) / wall.Seconds()
	n.result.Parallel = append(n.result.Parallel, p)
	n.result.Busy = append(n.result.Busy, (after-before).Seconds()/wall.Seconds()/float64(runtime.NumCPU()))
	return err
}

// cpu is the CPU time of all who take part in a fetch.
func (n *ipfsRun) cpu() (sum time.Duration, err error) {
	enclave, err := childOf(n.storage.PID)
	for _, pid := range []int{n.storage.PID, enclave, n.a.cmd.Process.Pid} {
		one, err2 := cpuTimeOf(pid)
		sum, err = sum+one, errors.Join(err, err2)
	}
	return sum, err
}

// retrieve reads a file out of sealed storage and out of kubo.
func (n *ipfsRun) retrieve(ctx context.Context, root string, first bool) error {
	archive := func(gateway string) func() (float64, error) {
		return func() (float64, error) {
			return timed(n.Large, func() error { return readAll(ctx, gateway+"/ipfs/"+root+"?format=car", n.Large) })
		}
	}
	p, err := turns(first, archive(n.storage.Gateway), archive(n.a.Gateway))
	if err != nil {
		return err
	}
	n.result.CAR = append(n.result.CAR, p)
	bitswap := func(source string) func() (float64, error) {
		return func() (float64, error) {
			if err := n.b.Forget(ctx); err != nil {
				return 0, err
			}
			return n.fetchByKubo(ctx, n.Large, root, source)
		}
	}
	if p, err = turns(first, bitswap(n.storage.Swarm[0]), bitswap(n.a.Address)); err != nil {
		return err
	}
	n.result.Serve = append(n.result.Serve, p)
	leaves, err := n.a.Leaves(ctx, root)
	if err != nil {
		return err
	}
	p, err = turns(first, func() (float64, error) { return n.firstByte(ctx, n.storage.Gateway, leaves) },
		func() (float64, error) { return n.firstByte(ctx, n.a.Gateway, leaves) })
	n.result.FirstByte = append(n.result.FirstByte, p)
	return err
}

// readAll reads what is at an address, and expects at least some bytes.
func readAll(ctx context.Context, address string, least int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	got, err := io.Copy(io.Discard, answer.Body)
	err = errors.Join(err, answer.Body.Close())
	if err == nil && (answer.StatusCode != http.StatusOK || got < least) {
		err = fmt.Errorf("%s: %s, %d bytes", address, answer.Status, got)
	}
	return err
}

// firstByte is how long clients wait for the first byte of a random block, at the 99th
// percentile, in seconds.
func (n *ipfsRun) firstByte(ctx context.Context, gateway string, leaves []string) (float64, error) {
	all := make([][]time.Duration, n.Clients)
	errs := make([]error, n.Clients)
	transport := &http.Transport{MaxIdleConnsPerHost: n.Clients}
	defer transport.CloseIdleConnections()
	var clients sync.WaitGroup
	for i := range all {
		clients.Go(func() {
			from := rand.New(rand.NewPCG(uint64(i), 1))
			for range n.Requests {
				one, err := firstByteOf(ctx, transport, gateway+"/ipfs/"+leaves[from.IntN(len(leaves))]+"?format=raw")
				if err != nil {
					errs[i] = err
					return
				}
				all[i] = append(all[i], one)
			}
		})
	}
	clients.Wait()
	times := slices.Sorted(slices.Values(slices.Concat(all...)))
	if err := errors.Join(errs...); err != nil || len(times) == 0 {
		return 0, err
	}
	return times[len(times)*99/100].Seconds(), nil
}

func firstByteOf(ctx context.Context, transport *http.Transport, address string) (d time.Duration, err error) {
	start := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { d = time.Since(start) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	err = errors.Join(err, answer.Body.Close())
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, answer.Status)
	}
	return d, err
}

// order has the storage node fetch a graph from a, and returns how long it took by its
// own figures: from the dialling of the source until the graph was durable.
func (n *ipfsRun) order(ctx context.Context, root string) (seconds float64, err error) {
	before, err := n.fetches(ctx)
	if err == nil {
		_, err = n.orderAll(ctx, []string{root})
	}
	if err != nil {
		return 0, err
	}
	after, err := n.fetches(ctx)
	return after.seconds - before.seconds, err
}

// orderAll has the storage node fetch graphs from a, and returns for how long it was
// fetching.
func (n *ipfsRun) orderAll(ctx context.Context, roots []string) (time.Duration, error) {
	before, err := n.fetches(ctx)
	if err != nil {
		return 0, err
	}
	var orders []client.Tx
	for _, root := range roots {
		size, err := n.a.Size(ctx, root)
		if err != nil {
			return 0, err
		}
		c, err := dag.Parse(root)
		if err != nil {
			return 0, err
		}
		orders = append(orders, market.Order(c.String(), size, market.Balance{}, []byte(n.a.Address)))
	}
	xt, err := n.chain.Sign(ctx, market.Together(orders...), n.user, client.SignOptions{})
	if err != nil {
		return 0, err
	}
	done, err := n.chain.SubmitAndWait(ctx, xt, client.InBlock, nil)
	if err == nil && done.Err != nil {
		err = done.Err
	}
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the storage node does not fetch; its log is "+n.storage.Log))
	defer cancel()
	var began time.Time
	for {
		now, err := n.fetches(ctx)
		switch {
		case err != nil:
			return 0, errors.Join(err, context.Cause(ctx))
		case now.failed > before.failed:
			return 0, errors.New("a fetch failed; the log is " + n.storage.Log)
		case now.ok == before.ok+len(roots):
			return time.Since(began), nil
		case began.IsZero() && now.running > 0:
			began = time.Now()
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil { // each time costs the node milliseconds
			return 0, context.Cause(ctx)
		}
	}
}

// fetchFigures are those of a storage node.
type fetchFigures struct {
	ok, failed, running int
	seconds             float64
}

// fetches reads them.
func (n *ipfsRun) fetches(ctx context.Context) (f fetchFigures, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.storage.Metrics, nil)
	if err != nil {
		return f, err
	}
	r.Header.Set("Accept-Encoding", "identity") // to compress it would take of what is measured
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return f, err
	}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		v, _ := strconv.ParseFloat(text, 64) // others are not read
		switch {
		case name == "crust_ipfs_fetch_seconds_sum":
			f.seconds = v
		case name == "crust_ipfs_fetch_seconds_count":
			f.ok = int(v)
		case name == "crust_ipfs_fetches":
			f.running = int(v)
		case strings.HasPrefix(name, "crust_ipfs_fetches_total{") && !strings.Contains(name, `"ok"`):
			f.failed += int(v)
		}
	}
	return f, errors.Join(lines.Err(), answer.Body.Close())
}

// memory reads the highest of the storage node and its enclave.
func (n *ipfsRun) memory() error {
	enclave, err := childOf(n.storage.PID)
	if err != nil {
		return err
	}
	if _, n.result.Storage, err = rssOf(n.storage.PID); err != nil {
		return err
	}
	_, n.result.Enclave, err = rssOf(enclave)
	return err
}

// childOf is the first child of a process.
func childOf(pid int) (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended
		}
		if f := strings.Fields(string(text)); len(f) > 0 {
			return strconv.Atoi(f[0])
		}
	}
	return 0, fmt.Errorf("process %d has no child", pid)
}
