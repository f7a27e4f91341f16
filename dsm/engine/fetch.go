package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"syscall"
	"time"

	"github.com/ipfs/boxo/exchange"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// Why a fetch fails.
var (
	ErrNoSource    = errors.New("no peer has the root block")
	ErrStalled     = errors.New("no peer sends what is missing")
	ErrLate        = errors.New("not complete in time")
	ErrTooLarge    = errors.New("the graph is larger than allowed")
	ErrUnsupported = errors.New("the graph has a block that cannot be stored")
	ErrDiskFull    = errors.New("there is no room")
)

const (
	resultOK    = "ok"
	resultOther = "other"
)

// results names the failures in metrics.
var results = []struct {
	err  error
	name string
}{
	{ErrNoSource, "no_source"}, {ErrStalled, "stalled"}, {ErrLate, "late"}, {ErrTooLarge, "too_large"},
	{ErrUnsupported, "unsupported"}, {ErrDiskFull, "disk_full"}, {context.Canceled, "cancelled"},
}

// Job is a graph to fetch.
type Job struct {
	Root    dag.CID
	Limit   uint64      // of the graph, in bytes
	Into    vault.Vault // where it goes
	Origins []peer.AddrInfo
	// Find, if not nil, looks for further sources where Origins are none, or did not send
	// what is missing for a while. It runs on a goroutine of its own, and stops when its
	// context ends.
	Find func(ctx context.Context) iter.Seq[peer.AddrInfo]
	// RootTimeout is how long peers have to send the root (default 2 minutes), Stall
	// how long nothing may arrive (default 1 minute), Deadline how long all of it may
	// take (default 24 hours).
	RootTimeout, Stall, Deadline time.Duration
	// Ready, if not nil, is called when the root has come: it may wait for a turn, and its
	// error ends the fetch.
	Ready func(ctx context.Context) error
	// Progress is called, from the goroutine of Fetch, with what has arrived; nil is
	// not.
	Progress func(Progress)
}

// Progress says how far a fetch is.
type Progress struct {
	Blocks int
	Bytes  uint64
	Wanted int // blocks that are known to be missing
}

// What is asked for and taken at once.
const (
	windowBytes = 16 << 20 // of the blocks in flight, by their mean size so far, over all fetches
	minWants    = 8        // in flight, however large blocks are
	firstGuess  = 256 << 10
	guessBlocks = 32      // until so many have come, their mean size is a guess
	nudges      = 6       // how often what may pass without a block is divided: after each part, all is asked for anew
	putBytes    = 4 << 20 // given to the vault at once
	dialTimeout = 15 * time.Second
	redialEvery = 2 * time.Second
	settleTime  = time.Second // at most, for the end of a session
	findTimeout = time.Minute
)

// Fetch brings a graph into a vault and returns its size, the sum of the lengths of
// its blocks. Of a fetch that fails nothing stays. The errors above say why; those
// of the vault are passed on.
func (e *Engine) Fetch(ctx context.Context, job Job) (size uint64, err error) {
	job.setDefaults()
	start := time.Now()
	e.cfg.Metrics.Running.Set(float64(e.fetches.add(1)))
	defer func() {
		e.cfg.Metrics.Running.Set(float64(e.fetches.add(-1)))
		e.cfg.Metrics.Fetches.WithLabelValues(resultName(err)).Inc()
		if err == nil {
			e.cfg.Metrics.Seconds.Observe(time.Since(start).Seconds())
		}
	}()
	outer := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, job.Deadline, ErrLate)
	defer cancel()
	group := lifecycle.NewGroup(ctx, 0)
	f := &fetch{e: e, job: &job, group: group, asked: map[dag.CID]struct{}{}, over: map[peer.ID]string{}, arrived: make(chan blocks.Block, 64), found: make(chan finding)}
	group.Go("fetch", func(ctx context.Context) (err error) {
		defer group.Stop() // the requests in flight
		size, err = f.run(ctx)
		return err
	})
	err = group.Wait()
	for _, o := range job.Origins {
		e.host.ConnManager().Unprotect(o.ID, job.Root.Key())
	}
	switch {
	case outer.Err() != nil:
		err = context.Cause(outer)
	case f.err != nil: // what the group makes of an end by deadline is not ours
		err = f.err
		if why := context.Cause(ctx); errors.Is(err, context.DeadlineExceeded) && errors.Is(why, ErrLate) && !errors.Is(err, why) {
			err = fmt.Errorf("%w: %w", why, err) // it was met in the vault
		}
	}
	if err != nil {
		return 0, fmt.Errorf("fetch %v: %w", toCid(job.Root), err)
	}
	return size, nil
}

func (j *Job) setDefaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	j.Origins = slices.Clip(j.Origins) // what is found is added
	def(&j.RootTimeout, 2*time.Minute)
	def(&j.Stall, time.Minute)
	def(&j.Deadline, 24*time.Hour)
}

func resultName(err error) string {
	if err == nil {
		return resultOK
	}
	for _, r := range results {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return resultOther
}

// dial connects to a source. That it cannot is no failure: others may have the file.
func (e *Engine) dial(ctx context.Context, o peer.AddrInfo) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if o.ID == e.host.ID() {
		return false
	}
	err := e.host.Connect(ctx, o)
	if err != nil {
		e.cfg.Log.Debug("cannot connect to origin", "peer", o.ID, "err", err)
	}
	return err == nil
}

// fetch is the state of one fetch. It belongs to the goroutine of run, but for what
// arrives.
type fetch struct {
	e       *Engine
	job     *Job
	group   *lifecycle.Group
	session exchange.Fetcher
	request context.Context // of the session; it ends with it
	cancel  context.CancelFunc
	sealing vault.Sealing
	queue   []dag.CID            // wanted and not asked for
	asked   map[dag.CID]struct{} // in flight
	arrived chan blocks.Block
	found   chan finding
	finding bool               // whether a search is going on
	over    map[peer.ID]string // connections over which origins were asked, by their ids
	// patience is how long nothing may come, and missing what it means if nothing does.
	patience time.Duration
	missing  error
	quiet    int // how many parts of patience are over since something came
	done     Progress
	err      error // why run failed
}

func (f *fetch) run(ctx context.Context) (size uint64, err error) {
	defer func() { f.err = err }()
	for _, o := range f.job.Origins {
		f.e.host.ConnManager().Protect(o.ID, f.job.Root.Key())
	}
	f.begin(ctx)
	defer func() { f.cancel() }()
	f.patience, f.missing = f.job.RootTimeout, ErrNoSource
	root, err := f.root(ctx)
	if err != nil {
		return 0, err
	}
	f.patience, f.missing = f.job.Stall, ErrStalled
	if f.job.Ready != nil {
		if err := f.job.Ready(ctx); err != nil {
			return 0, err
		}
	}
	f.e.moving.add(1)
	defer f.e.moving.add(-1)
	if f.sealing, err = f.job.Into.Begin(ctx, f.job.Root, f.job.Limit); err != nil {
		return 0, classify(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.sealing.Abandon(context.WithoutCancel(ctx)))
		}
	}()
	if err := f.put(ctx, []vault.Block{root}); err != nil {
		return 0, err
	}
	for len(f.queue) > 0 || len(f.asked) > 0 {
		batch, err := f.next(ctx)
		if err == nil && len(batch) > 0 {
			err = f.put(ctx, batch)
		}
		if err != nil {
			return 0, err
		}
	}
	size, err = f.sealing.Commit(ctx)
	return size, classify(err)
}

// begin opens a session, in place of the one before it. What that one asked for is
// asked for again: a session gives up peers that once did not answer, connections
// end, and wants may get lost on the other side.
func (f *fetch) begin(ctx context.Context) {
	if f.cancel != nil {
		f.cancel()
		f.settle(ctx)
	}
	for _, o := range f.job.Origins { // does nothing where there is a connection
		f.dial(o)
	}
	f.find()
	f.request, f.cancel = context.WithCancel(ctx)
	f.session = f.e.bitswap.NewSession(f.request)
	for c := range f.asked {
		f.queue = append(f.queue, c)
	}
	clear(f.asked)
	clear(f.over)
}

// settle waits until the session that is over has taken back what it wanted, which it does in its own time: what
// somebody in this program wants is not asked for once more.
func (f *fetch) settle(ctx context.Context) {
	late, look := time.NewTimer(min(settleTime, f.patience/nudges)), time.NewTicker(settleTime/100)
	defer late.Stop()
	defer look.Stop()
	for slices.ContainsFunc(f.e.bitswap.GetWantlist(), f.waitsFor) {
		select {
		case <-look.C:
		case <-late.C: // another fetch wants it too, and looks after it
			return
		case <-ctx.Done():
			return
		}
	}
}

func (f *fetch) waitsFor(c cid.Cid) bool {
	own, err := dag.ParseCID(c.Bytes())
	_, ok := f.asked[own]
	return ok && err == nil
}

// find looks for further sources, unless those that are known have not had their time.
func (f *fetch) find() {
	if f.job.Find == nil || f.finding || len(f.job.Origins) > 0 && f.quiet == 0 {
		return
	}
	f.finding = true
	f.group.Go("find", func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, findTimeout)
		defer cancel()
		for o := range f.job.Find(within) {
			if !f.tell(ctx, finding{source: o}) {
				return nil
			}
		}
		f.tell(ctx, finding{over: true})
		return nil
	})
}

// finding is what searches say: a source, that it cannot be reached, or that a search is over.
type finding struct {
	source     peer.AddrInfo
	lost, over bool
}

// tell hands a finding to the goroutine of run, and reports whether the fetch goes on.
func (f *fetch) tell(ctx context.Context, what finding) bool {
	select {
	case f.found <- what:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// heed takes a finding. Who was found is asked when it is connected, and makes room for
// others if it cannot be.
func (f *fetch) heed(what finding) {
	at := slices.IndexFunc(f.job.Origins, func(o peer.AddrInfo) bool { return o.ID == what.source.ID })
	switch {
	case what.over:
		f.finding = false
	case what.lost && at >= 0:
		f.e.host.ConnManager().Unprotect(what.source.ID, f.job.Root.Key())
		f.job.Origins = slices.Delete(f.job.Origins, at, at+1)
	case !what.lost && at < 0 && len(f.job.Origins) < 2*MaxOrigins:
		f.job.Origins = append(f.job.Origins, what.source)
		f.e.host.ConnManager().Protect(what.source.ID, f.job.Root.Key())
		f.group.Go("dial", func(ctx context.Context) error {
			if !f.e.dial(ctx, what.source) {
				f.tell(ctx, finding{source: what.source, lost: true})
			}
			return nil
		})
	}
}

// dial connects to a source while the fetch goes on.
func (f *fetch) dial(o peer.AddrInfo) {
	f.group.Go("dial", func(ctx context.Context) error { f.e.dial(ctx, o); return nil })
}

// redial dials origins whose connection broke, and reports whether one is back: over a new
// connection nothing was asked for yet, however soon it came. Those that were never there wait
// for the watchdog.
func (f *fetch) redial() (back bool) {
	for _, o := range f.job.Origins {
		over, asked := f.over[o.ID]
		conns := f.e.host.Network().ConnsToPeer(o.ID)
		if !asked || slices.ContainsFunc(conns, func(c network.Conn) bool { return c.ID() == over }) {
			continue
		}
		if len(conns) == 0 {
			f.dial(o)
		}
		back = back || len(conns) > 0
	}
	return back
}

// note notes over which connections is asked, each origin's first since begin.
func (f *fetch) note() {
	for _, o := range f.job.Origins {
		conns := f.e.host.Network().ConnsToPeer(o.ID)
		if _, asked := f.over[o.ID]; !asked && len(conns) > 0 {
			f.over[o.ID] = conns[0].ID()
		}
	}
}

// root gets the root block, which says whether anybody has the file at all.
func (f *fetch) root(ctx context.Context) (vault.Block, error) {
	f.queue = append(f.queue, f.job.Root)
	for {
		batch, err := f.next(ctx)
		if err != nil {
			return vault.Block{}, err
		}
		if len(batch) > 0 {
			return batch[0], nil
		}
	}
}

// next returns blocks that the fetch wants, none if it has to ask once more.
func (f *fetch) next(ctx context.Context) (batch []vault.Block, err error) {
	if batch, err = f.ask(ctx); err == nil && len(batch) == 0 {
		batch, err = f.take(ctx)
	}
	return batch, err
}

// window is how many wants may be in flight.
func (f *fetch) window() int {
	mean := uint64(firstGuess)
	if f.done.Blocks >= guessBlocks {
		mean = f.done.Bytes/uint64(f.done.Blocks) + 1
	}
	most := min(uint64(f.e.cfg.Wants), windowBytes/mean)
	return max(minWants, int(most)/max(f.e.moving.load(), 1))
}

// ask requests what is wanted once half of the window is free, because many small
// requests cost more than a few large ones. Blocks that the vault has already are
// returned instead.
func (f *fetch) ask(ctx context.Context) (here []vault.Block, err error) {
	window := f.window()
	free := window - len(f.asked)
	if free < window/2 || len(f.queue) == 0 {
		return nil, nil
	}
	var keys []cid.Cid
	bytes, receive := 0, f.request
	for len(f.queue) > 0 && len(keys) < free && bytes < putBytes {
		c := f.queue[len(f.queue)-1]
		f.queue = f.queue[:len(f.queue)-1]
		data, err := f.job.Into.Get(ctx, c)
		switch {
		case err == nil:
			here = append(here, vault.Block{CID: c, Data: data})
			bytes += len(data)
		case errors.Is(err, vault.ErrNotFound):
			keys = append(keys, toCid(c))
			f.asked[c] = struct{}{}
		default:
			return nil, err
		}
	}
	if len(keys) == 0 {
		return here, nil
	}
	f.note()
	incoming, err := f.session.GetBlocks(receive, keys)
	if err != nil {
		return nil, err
	}
	f.group.Go("receive", func(context.Context) error {
		for b := range incoming {
			select {
			case f.arrived <- b:
			case <-receive.Done():
				return nil
			}
		}
		return nil
	})
	return here, nil
}

// take waits for blocks and returns all that have arrived, up to a batch: none after
// a time without any, when it has asked anew.
func (f *fetch) take(ctx context.Context) (batch []vault.Block, err error) {
	watchdog, look := time.NewTimer(f.patience/nudges), time.NewTicker(redialEvery)
	defer watchdog.Stop()
	defer look.Stop()
	bytes := 0
	add := func(b blocks.Block) {
		c, err := dag.ParseCID(b.Cid().Bytes())
		if _, ok := f.asked[c]; !ok || err != nil {
			return // it came for a session that is over
		}
		delete(f.asked, c)
		f.quiet = 0
		f.count(len(b.RawData()))
		batch = append(batch, vault.Block{CID: c, Data: b.RawData()})
		bytes += len(b.RawData())
	}
	for len(batch) == 0 {
		select {
		case b := <-f.arrived:
			add(b)
		case <-watchdog.C:
			if f.quiet++; f.quiet == nudges {
				return nil, fmt.Errorf("%w: %d blocks, for %v", f.missing, len(f.asked)+len(f.queue), f.patience)
			}
			f.begin(ctx)
			return nil, nil
		case what := <-f.found:
			f.heed(what)
		case <-look.C:
			if f.redial() {
				f.begin(ctx) // what was asked for on the old connection is lost
				return nil, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	for bytes < putBytes {
		select {
		case b := <-f.arrived:
			add(b)
			continue
		default:
		}
		break
	}
	if err := f.e.cfg.Down.wait(ctx, bytes); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLate, err) // at this rate it would be
	}
	return batch, nil
}

// count counts a block that came from a peer.
func (f *fetch) count(n int) {
	f.e.cfg.Metrics.Blocks.Inc()
	f.e.cfg.Metrics.Bytes.WithLabelValues("in").Add(float64(n))
}

// put gives blocks to the vault and notes what it wants because of them.
func (f *fetch) put(ctx context.Context, batch []vault.Block) error {
	wanted, err := f.sealing.Put(ctx, batch)
	if err != nil {
		return classify(err)
	}
	f.queue = append(f.queue, wanted...)
	for _, b := range batch {
		f.done.Blocks++
		f.done.Bytes += uint64(len(b.Data))
	}
	f.done.Wanted = len(f.queue) + len(f.asked)
	if f.job.Progress != nil {
		f.job.Progress(f.done)
	}
	return nil
}

// classify says what a vault's error means for a fetch.
func classify(err error) error {
	for _, c := range []struct{ is, means error }{
		{dag.ErrLimit, ErrTooLarge}, {dag.ErrBlock, ErrUnsupported}, {dag.ErrCID, ErrUnsupported},
		{vault.ErrFull, ErrDiskFull}, {syscall.ENOSPC, ErrDiskFull},
	} {
		if errors.Is(err, c.is) {
			return fmt.Errorf("%w: %w", c.means, err)
		}
	}
	return err
}
