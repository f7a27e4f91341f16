package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/testnet"
)

// FinalityCase is a network of validators, and the load that it is under.
type FinalityCase struct {
	Validators int
	Senders    int           // accounts that send, each to one of the validators
	Rate       int           // transactions a second
	For        time.Duration // how long they are sent
}

// FinalityResult is how fast the blocks of a network became final, and what that cost.
type FinalityResult struct {
	Latencies []time.Duration // of each block, sorted
	Sent      int
	Finalised int           // transactions found in final blocks
	Time      time.Duration // from the first call to the last
	Nodes     []NodeCost
}

// NodeCost is what one validator took while transactions were sent.
type NodeCost struct {
	RSS  []int64 // bytes, every ten seconds
	Peak int64
	CPU  time.Duration
}

// Quantile is the latency that a share of the blocks does not exceed.
func (r *FinalityResult) Quantile(share float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	return r.Latencies[min(int(share*float64(len(r.Latencies))), len(r.Latencies)-1)]
}

// Peak is the memory of the largest validator, in bytes.
func (r *FinalityResult) Peak() (most int64) {
	for _, n := range r.Nodes {
		most = max(most, n.Peak)
	}
	return most
}

// Share is the part of one core that a validator used, on average.
func (r *FinalityResult) Share() float64 {
	var sum time.Duration
	for _, n := range r.Nodes {
		sum += n.CPU
	}
	return sum.Seconds() / r.Time.Seconds() / float64(max(1, len(r.Nodes)))
}

// Growth is by how much the memory of a validator grew, the most of all, between
// the second and the last quarter of the time, by medians.
func (r *FinalityResult) Growth() (most int64) {
	median := func(v []int64) int64 {
		v = slices.Sorted(slices.Values(v))
		if len(v) == 0 {
			return 0
		}
		return v[len(v)/2]
	}
	for i, n := range r.Nodes {
		k := len(n.RSS)
		if g := median(n.RSS[3*k/4:]) - median(n.RSS[k/4:k/2]); i == 0 || g > most {
			most = g
		}
	}
	return most
}

// Finality runs a network of the real program, with connections of loopback and
// a block a second, and sends transactions to all validators. The latency of a
// block is from its timestamp, which is the author's clock when it began to make
// it, until the client was told by the last validator that the block is final.
func Finality(ctx context.Context, binary string, c FinalityCase) (r FinalityResult, err error) {
	w, err := newWorld(runtime.Devnet(c.Validators), c.Senders)
	if err != nil {
		return r, err
	}
	from := make([]int, int(float64(c.Rate)*c.For.Seconds()))
	for i := range from {
		from[i] = i % c.Senders
	}
	txs, err := w.Sign(from)
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	net, err := testnet.New(testnet.Config{Program: binary, Dir: dir, Validators: c.Validators, Spec: w.Spec})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	if err := awaitFirst(ctx, net); err != nil {
		return r, err
	}
	w.Keys, w.Nonces, w.Spec = nil, nil, nil
	m := &finalityRun{FinalityCase: c, net: net, txs: txs, told: make([]map[types.BlockNumber]time.Time, c.Validators)}
	if err := m.run(ctx); err != nil {
		return r, err
	}
	if err := net.Check(ctx); err != nil {
		return r, err
	}
	return m.result, nil
}

// awaitFirst starts a network and waits for its first final blocks.
func awaitFirst(ctx context.Context, net *testnet.Net) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("not within a minute"))
	defer cancel()
	if err := net.Start(ctx); err != nil {
		return err
	}
	return net.Await(ctx, "first final blocks", func(all []testnet.State) bool {
		return !slices.ContainsFunc(all, func(s testnet.State) bool { return s.Final < 3 })
	})
}

// finalityRun is one measurement.
type finalityRun struct {
	FinalityCase
	net     *testnet.Net
	txs     []types.Extrinsic
	clients []*jsonrpc.Client

	mu     sync.Mutex                        // guards told
	told   []map[types.BlockNumber]time.Time // by validator: when it told of a final block
	result FinalityResult
}

func (m *finalityRun) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for i, n := range m.net.Nodes {
		c, err := jsonrpc.Dial(ctx, n.URL("ws"), jsonrpc.Config{})
		if err != nil {
			return err
		}
		defer c.Close()
		m.clients = append(m.clients, c)
		s, err := c.Subscribe(ctx, "chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads", nil)
		if err != nil {
			return err
		}
		m.told[i] = map[types.BlockNumber]time.Time{}
		tasks.Go(func() { m.listen(ctx, i, s) })
	}
	first := m.final()
	start := time.Now()
	sent := make(chan error, 1)
	tasks.Go(func() { sent <- m.send(ctx, start) })
	costs := make(chan error, 1)
	sampling, enough := context.WithCancel(ctx)
	tasks.Go(func() { costs <- m.sample(sampling) })
	last, err := m.count(ctx, first, sent)
	enough()
	err = errors.Join(err, <-costs)
	if err == nil {
		err = m.await(ctx, last)
	}
	cancel(nil)
	return err
}

// listen notes when a validator tells that blocks are final.
func (m *finalityRun) listen(ctx context.Context, i int, s *jsonrpc.Subscription) {
	for {
		raw, err := s.Next(ctx)
		at := time.Now()
		if err != nil {
			return
		}
		_, rest, _ := strings.Cut(string(raw), `"number":"0x`)
		hex, _, _ := strings.Cut(rest, `"`)
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			return // the block is missed
		}
		m.mu.Lock()
		m.told[i][types.BlockNumber(n)] = at
		m.mu.Unlock()
	}
}

// final is the last final block that all validators have told of.
func (m *finalityRun) final() types.BlockNumber {
	all := m.net.States()
	low := all[0].Final
	for _, s := range all {
		low = min(low, s.Final)
	}
	return low
}

// await waits until all validators have told of a block.
func (m *finalityRun) await(ctx context.Context, last types.BlockNumber) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("not within a minute"))
	defer cancel()
	return m.net.Await(ctx, fmt.Sprintf("news of block %d from everybody", last), func([]testnet.State) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return !slices.ContainsFunc(m.told, func(t map[types.BlockNumber]time.Time) bool { _, ok := t[last]; return !ok })
	})
}

// send submits the transactions, each in its time.
func (m *finalityRun) send(ctx context.Context, start time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var tasks sync.WaitGroup
	const inFlight = 64 // calls
	for range inFlight {
		tasks.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(m.txs) || sleep(ctx, time.Until(start.Add(time.Duration(i)*time.Second/time.Duration(m.Rate)))) != nil {
					return
				}
				if _, err := sendOne(ctx, m.clients[i%m.Senders%len(m.clients)], m.txs[i]); err != nil {
					cancel(fmt.Errorf("transaction %d: %w", i, err))
					return
				}
			}
		})
	}
	tasks.Wait()
	m.result.Time = time.Since(start)
	return context.Cause(ctx)
}

// sample notes what the validators take until ctx ends.
func (m *finalityRun) sample(ctx context.Context) error {
	var before []time.Duration
	for _, n := range m.net.Nodes {
		cpu, err := cpuTimeOf(n.PID())
		if err != nil {
			return err
		}
		before = append(before, cpu)
	}
	costs := make([]NodeCost, len(before))
	for more := true; more; {
		more = sleep(ctx, 10*time.Second) == nil
		for i, n := range m.net.Nodes {
			now, peak, err := rssOf(n.PID())
			if err != nil {
				return err
			}
			cpu, err := cpuTimeOf(n.PID())
			if err != nil {
				return err
			}
			costs[i].RSS, costs[i].Peak, costs[i].CPU = append(costs[i].RSS, now), peak, cpu-before[i]
		}
	}
	m.result.Nodes = costs
	return nil
}

// patientBlocks is how many final blocks without any of the transactions mean
// that those that are missing are lost.
const patientBlocks = 20

// count reads final blocks until all transactions were found or are lost, takes
// the latencies, and returns the last block.
func (m *finalityRun) count(ctx context.Context, first types.BlockNumber, sent <-chan error) (last types.BlockNumber, err error) {
	missing := make(map[types.Hash]struct{}, len(m.txs))
	for _, tx := range m.txs {
		missing[tx.Hash()] = struct{}{}
	}
	m.result.Sent = len(m.txs)
	made := map[types.BlockNumber]time.Time{}
	for number, idle := first+1, 0; len(missing) > 0 && idle < patientBlocks; {
		select {
		case err := <-sent:
			if err != nil {
				return 0, err
			}
			sent = nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		for ; number <= m.final(); number++ {
			n, at, err := m.block(ctx, number, missing)
			if err != nil {
				return 0, err
			}
			made[number] = at
			if idle++; n > 0 || sent != nil {
				idle = 0
			}
			m.result.Finalised += n
			last = number
		}
	}
	if err := m.await(ctx, last); err != nil {
		return 0, err
	}
	for _, number := range slices.Sorted(maps.Keys(made)) {
		var slowest time.Time
		for i := range m.told {
			at, ok := m.told[i][number]
			if !ok {
				return 0, fmt.Errorf("validator %d never told that block %d is final", i, number)
			}
			if at.After(slowest) {
				slowest = at
			}
		}
		m.result.Latencies = append(m.result.Latencies, slowest.Sub(made[number]))
	}
	slices.Sort(m.result.Latencies)
	if sent != nil {
		err = <-sent
	}
	return last, err
}

// block takes the transactions of a block out of missing, and reads its timestamp.
func (m *finalityRun) block(ctx context.Context, number types.BlockNumber, missing map[types.Hash]struct{}) (n int, made time.Time, err error) {
	var hash types.Hash
	if err := m.clients[0].Call(ctx, "chain_getBlockHash", []any{number}, &hash); err != nil {
		return 0, made, err
	}
	var b struct {
		Block struct{ Extrinsics []jsonrpc.Hex }
	}
	if err := m.clients[0].Call(ctx, "chain_getBlock", []any{hash}, &b); err != nil {
		return 0, made, err
	}
	for _, x := range b.Block.Extrinsics {
		h := types.Extrinsic(x).Hash()
		if _, ok := missing[h]; ok {
			delete(missing, h)
			n++
		}
		if at, ok := timestamp(x); ok {
			made = at
		}
	}
	if made.IsZero() {
		err = fmt.Errorf("block %d has no timestamp", number)
	}
	return n, made, err
}

// timestamp reads the extrinsic that sets a block's time.
func timestamp(x []byte) (at time.Time, ok bool) {
	c := scale.NewCursor(x)
	const set = "\x04\x03\x00" // version 4, unsigned; pallet Timestamp, call set
	if c.Compact(); c.Remaining() < len(set) || string(c.Ref(len(set))) != set {
		return at, false
	}
	ms := c.Compact()
	return time.UnixMilli(int64(ms)), c.Err() == nil
}
