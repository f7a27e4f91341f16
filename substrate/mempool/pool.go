package mempool

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of the pool's own queues; those of the pool are in txpool.Config.
const (
	maxBatch      = 512  // submissions judged together
	maxWaiting    = 4096 // submissions that wait to be judged
	maxBroadcasts = 1024 // transactions that are submitted again and again
	maxEvents     = 64   // events that a watcher may leave unread
	maxFresh      = 8192 // transactions that wait to be told to other nodes
)

// Config is what a Pool is given. Zero Limits are txpool's defaults.
type Config struct {
	Limits txpool.Config
	Par    frame.Par
	// Points remembers public keys between batches; it may be nil.
	Points sr25519.PointCache
	Log    *slog.Logger
}

// Pool is the node's transaction pool. Its methods are safe for concurrent use
// and need Run to be running.
type Pool struct {
	cfg     Config
	chain   *chain.Manager
	submits chan *submission
	calls   chan func()
	done    chan struct{} // closed when Run has returned
	news    chan struct{} // holds a value if fresh does

	mu    sync.Mutex // guards fresh
	fresh []types.Extrinsic

	// The rest belongs to the goroutine in Run.
	pool       *txpool.Pool
	txs        map[types.Hash]*frame.Tx // decoded form of what is in the pool
	watchers   map[types.Hash][]*Watch
	broadcasts map[*broadcast]struct{}
	lost       []*submission                  // their judgement is put off
	again      map[types.Hash]types.Extrinsic // of retracted blocks, to be judged by the next best block
	validator  *frame.Validator
	best       chain.Ref
	cursor     chain.Cursor
}

type submission struct {
	raw    types.Extrinsic
	hash   types.Hash
	local  bool   // this node made it
	watch  *Watch // nil if nobody watches
	result chan error
}

type broadcast struct{ raw types.Extrinsic }

// New makes a pool over a chain. It does nothing until Run.
func New(m *chain.Manager, cfg Config) *Pool {
	if cfg.Limits == (txpool.Config{}) {
		cfg.Limits = txpool.DefaultConfig()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Pool{
		cfg: cfg, chain: m, submits: make(chan *submission, maxWaiting), calls: make(chan func()), done: make(chan struct{}), news: make(chan struct{}, 1),
		pool: txpool.New(cfg.Limits), txs: map[types.Hash]*frame.Tx{}, watchers: map[types.Hash][]*Watch{}, broadcasts: map[*broadcast]struct{}{},
		again: map[types.Hash]types.Extrinsic{},
	}
}

// ErrStopped says that the node is shutting down.
var ErrStopped = errors.New("the transaction pool has stopped")

// Run owns the pool until ctx ends.
func (p *Pool) Run(ctx context.Context) error {
	defer close(p.done)
	wake, cancel := p.chain.Wake()
	defer cancel()
	p.restart()
	for {
		select {
		case <-ctx.Done():
			p.closeWatches()
			return nil
		case <-wake:
			p.follow()
			lost := p.lost
			p.lost = nil
			p.take(lost)
		case f := <-p.calls:
			p.follow() // answer by the newest block
			f()
		case s := <-p.submits:
			p.take(p.gather(s))
		}
		p.deliver()
	}
}

// gather collects the submissions that are waiting.
func (p *Pool) gather(first *submission) []*submission {
	batch := []*submission{first}
	for len(batch) < maxBatch {
		select {
		case s := <-p.submits:
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

// call runs f on the goroutine that owns the pool and waits for it.
func (p *Pool) call(f func()) error {
	finished := make(chan struct{})
	select {
	case p.calls <- func() { defer close(finished); f() }:
		<-finished
		return nil
	case <-p.done:
		return ErrStopped
	}
}

// Submit judges a transaction and adds it to the pool. Errors are *txpool.Error
// with Substrate's code.
func (p *Pool) Submit(ctx context.Context, raw types.Extrinsic) (types.Hash, error) {
	return p.submit(ctx, &submission{raw: raw, result: make(chan error, 1)})
}

// SubmitLocal is Submit for a transaction that this node made itself, which may be
// one that the runtime takes from nobody else and that is not passed on.
func (p *Pool) SubmitLocal(ctx context.Context, raw types.Extrinsic) (types.Hash, error) {
	return p.submit(ctx, &submission{raw: raw, local: true, result: make(chan error, 1)})
}

// SubmitAndWatch is Submit; what becomes of the transaction can be read from the watch.
func (p *Pool) SubmitAndWatch(ctx context.Context, raw types.Extrinsic) (*Watch, error) {
	w := &Watch{pool: p, wake: make(chan struct{}, 1)}
	if _, err := p.submit(ctx, &submission{raw: raw, watch: w, result: make(chan error, 1)}); err != nil {
		return nil, err
	}
	return w, nil
}

// SubmitAll submits what another node sent, and returns the refusal of each.
func (p *Pool) SubmitAll(ctx context.Context, raws []types.Extrinsic) []error {
	waiting := make([]*submission, len(raws))
	errs := make([]error, len(raws))
	for i, raw := range raws {
		waiting[i] = &submission{raw: raw, result: make(chan error, 1)}
		errs[i] = p.enqueue(ctx, waiting[i])
	}
	for i, s := range waiting {
		if errs[i] == nil {
			errs[i] = p.await(s)
		}
	}
	return errs
}

// News receives a value when there are transactions that Fresh returns.
func (p *Pool) News() <-chan struct{} { return p.news }

// Fresh returns the transactions that were admitted since the last call and are
// for other nodes to know. If too many gather, the oldest are forgotten: Pending
// still has them.
func (p *Pool) Fresh() []types.Extrinsic {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.fresh
	p.fresh = nil
	return out
}

// announce puts an admitted transaction among the fresh ones.
func (p *Pool) announce(raw types.Extrinsic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.fresh) >= maxFresh {
		p.fresh = slices.Delete(p.fresh, 0, maxFresh/2)
	}
	p.fresh = append(p.fresh, raw)
	select {
	case p.news <- struct{}{}:
	default: // there is a value already
	}
}

func (p *Pool) submit(ctx context.Context, s *submission) (types.Hash, error) {
	if err := p.enqueue(ctx, s); err != nil {
		return s.hash, err
	}
	return s.hash, p.await(s)
}

func (p *Pool) enqueue(ctx context.Context, s *submission) error {
	s.hash = s.raw.Hash()
	select {
	case p.submits <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return ErrStopped
	}
}

func (p *Pool) await(s *submission) error {
	select {
	case err := <-s.result:
		return err
	case <-p.done:
		return ErrStopped
	}
}

// take judges submissions together and answers each.
func (p *Pool) take(batch []*submission) {
	p.follow() // judge by the newest block
	raws := make([]types.Extrinsic, 0, len(batch))
	fresh := batch[:0]
	for _, s := range batch {
		if err := p.refuseUnseen(s.hash); err != nil {
			s.result <- err
			continue
		}
		if s.local {
			p.answer(s, p.checkFrom(frame.SourceLocal, []types.Extrinsic{s.raw})[0])
			continue
		}
		raws, fresh = append(raws, s.raw), append(fresh, s)
	}
	for i, v := range p.check(raws) {
		p.answer(fresh[i], v)
	}
}

// answer admits or refuses a judged submission, or puts it off.
func (p *Pool) answer(s *submission, v frame.Verdict) {
	if stateLost(v.Err) {
		p.lost = append(p.lost, s)
		return
	}
	s.result <- p.admit(s, v)
}

// stateLost says that finality has discarded the block by which a transaction was
// judged, for another fork won: that says nothing about the transaction. It is
// judged again when the chain tells of that, which is soon.
func stateLost(err error) bool { return errors.Is(err, state.ErrPruned) }

func (p *Pool) check(raws []types.Extrinsic) []frame.Verdict {
	return p.checkFrom(frame.SourceExternal, raws)
}

func (p *Pool) checkFrom(source frame.Source, raws []types.Extrinsic) []frame.Verdict {
	return p.validator.Check(raws, source, frame.Checking{Par: p.cfg.Par, Points: p.cfg.Points})
}

// refuseUnseen refuses what need not be judged.
func (p *Pool) refuseUnseen(h types.Hash) error {
	if p.pool.Banned(h) {
		return txpool.ErrBanned
	}
	if tx, _ := p.pool.Get(h); tx != nil {
		return txpool.ErrImported
	}
	return nil
}

// admit adds a judged transaction to the pool.
func (p *Pool) admit(s *submission, v frame.Verdict) error {
	if v.Err != nil {
		return refusal(v.Err)
	}
	tx := poolTx(s.hash, v.Tx, &v.Valid)
	tx.Watched = s.watch != nil
	known, _ := p.pool.Get(s.hash) // the same bytes may be twice in a batch
	if _, err := p.pool.Submit(tx, p.best.Number); err != nil {
		return err
	}
	if known == nil {
		p.txs[s.hash] = v.Tx
		if v.Valid.Propagate {
			p.announce(s.raw)
		}
	}
	if s.watch != nil {
		s.watch.hash = s.hash
		p.watchers[s.hash] = append(p.watchers[s.hash], s.watch)
	}
	return nil
}

// sourceOf tells where a transaction of the pool came from: what is not passed on
// can only have been made here.
func sourceOf(tx *txpool.Tx) frame.Source {
	if tx.Propagate {
		return frame.SourceExternal
	}
	return frame.SourceLocal
}

func poolTx(h types.Hash, t *frame.Tx, v *frame.ValidTransaction) txpool.Tx {
	return txpool.Tx{
		Hash: h, Bytes: t.Raw, Signed: t.Signed, Sender: t.Signer, Nonce: t.Nonce, Requires: v.Requires, Provides: v.Provides,
		Priority: v.Priority, Longevity: v.Longevity, Propagate: v.Propagate, Mandatory: t.Info.Class == frame.Mandatory,
	}
}

// codeFormat is Substrate's code for bytes that are no extrinsic.
const codeFormat = 1001

// refusal puts a validation error into the form that clients are answered with.
func refusal(err error) error {
	var v *frame.Validity
	switch {
	case errors.As(err, &v) && v.Unknown:
		return &txpool.Error{Code: txpool.ErrUnknown.Code, Message: txpool.ErrUnknown.Message, Data: v.Error(), Cause: v}
	case errors.As(err, &v):
		return &txpool.Error{Code: txpool.ErrInvalid.Code, Message: txpool.ErrInvalid.Message, Data: v.Error(), Cause: v}
	case frame.IsUndecodable(err):
		return &txpool.Error{Code: codeFormat, Message: "Extrinsic has invalid format: " + err.Error(), Cause: err}
	}
	return err
}

// Broadcast submits a transaction now and after every block until stop is
// called, as long as it is neither in the pool nor in the chain. ok is false if
// too many are broadcast already.
func (p *Pool) Broadcast(raw types.Extrinsic) (stop func(), ok bool) {
	b := &broadcast{raw}
	err := p.call(func() {
		if ok = len(p.broadcasts) < maxBroadcasts; ok {
			p.broadcasts[b] = struct{}{}
			p.rebroadcast(b)
		}
	})
	return func() { _ = p.call(func() { delete(p.broadcasts, b) }) }, ok && err == nil
}

// rebroadcast submits a broadcast transaction once more; a refusal is not final.
func (p *Pool) rebroadcast(b *broadcast) {
	h := b.raw.Hash()
	if p.refuseUnseen(h) != nil {
		return
	}
	if err := p.admit(&submission{raw: b.raw, hash: h}, p.check([]types.Extrinsic{b.raw})[0]); err != nil {
		p.cfg.Log.Debug("broadcast transaction is not accepted now", "hash", h, "err", err)
	}
}

// Pending lists the transactions of the pool, the ready ones first.
func (p *Pool) Pending() (out []types.Extrinsic) {
	_ = p.call(func() { // a stopped pool is empty
		for tx := range p.pool.Pending() {
			out = append(out, tx.Bytes)
		}
	})
	return out
}

// Ready lists at most limit transactions that could be in the next block, in
// order, with their decoded form; their signatures are checked.
func (p *Pool) Ready(limit int) (out []*frame.Tx) {
	_ = p.call(func() { // a stopped pool is empty
		for tx := range p.pool.Ready() {
			if len(out) == limit {
				return
			}
			out = append(out, p.txs[tx.Hash])
		}
	})
	return out
}

// Remove drops transactions, by hash or by bytes, and refuses them for a while.
func (p *Pool) Remove(hashes []types.Hash, raws []types.Extrinsic) (removed []types.Hash) {
	for _, raw := range raws {
		hashes = append(hashes, raw.Hash())
	}
	_ = p.call(func() { // a stopped pool is empty
		for _, h := range hashes {
			if tx, _ := p.pool.Get(h); tx != nil {
				p.pool.Reject(h)
				removed = append(removed, h)
			}
		}
	})
	return removed
}

// NextNonce is the nonce that an account's next transaction should have.
func (p *Pool) NextNonce(who types.AccountID) (n types.Nonce, err error) {
	stopped := p.call(func() {
		if n, err = p.validator.Nonce(who); err == nil {
			n = p.pool.NextNonce(who, n)
		}
	})
	return n, errors.Join(stopped, err)
}

// Status is how full the pool is.
func (p *Pool) Status() (s txpool.Status) {
	_ = p.call(func() { s = p.pool.Status() }) // a stopped pool is empty
	return s
}
