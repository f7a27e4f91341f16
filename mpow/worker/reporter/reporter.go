package reporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/index"
	"github.com/crustgo/crust/mpow/worker/slots"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Chain is what a reporter needs of a chain; Node is it.
type Chain interface {
	Account() types.AccountID
	// Connect connects again, after Next failed.
	Connect(ctx context.Context) error
	// Next waits for a new best block.
	Next(ctx context.Context) (at types.Hash, number uint32, err error)
	// View reads what a block's state says of a worker.
	View(ctx context.Context, at types.Hash, number uint32, lineage proof.Lineage) (slots.View, *worker.Audit, error)
	// Group is for whom the member's worker counts, or will from the next slot on.
	Group(ctx context.Context, at types.Hash) (index.Group, error)
	// Attested is how long ago an enclave key attested last, by a block's time, and
	// within which time it has to do so again; 0 for never.
	Attested(ctx context.Context, at types.Hash, key proof.Hash) (age, period time.Duration, err error)
	// Final is the number of the last final block.
	Final(ctx context.Context) (uint32, error)
	// Proofs leads from a final block to a later one, and proves the member's record there.
	Proofs(ctx context.Context, from uint32) (warp []byte, nodes [][]byte, err error)
	// Anchor is a recent block that a quote can be made after.
	Anchor(ctx context.Context) (number uint32, at types.Hash, err error)
	// Balance is what the member has to pay fees with, in plancks.
	Balance(ctx context.Context) (*big.Int, error)
	// Free sends a call that nobody signs, Signed one that the member signs, and waits for
	// what becomes of it.
	Free(ctx context.Context, call []byte) error
	Signed(ctx context.Context, call []byte) error
}

// Config says how to report.
type Config struct {
	Params     proof.Params // of the chain
	ReportSlot uint32       // blocks of a slot
	Replace    bool         // whether to take the place of another worker of the account
	// Owner, unless it is zero, is the owner of the group to join.
	Owner types.AccountID
	Log   *slog.Logger
}

// Calls of the pallet Swork: docs/protocol/mpow.md §12.
const (
	pallet       = 25
	callRegister = 0
	callReport   = 1
	callFiles    = 2
	callLoss     = 3
	callAnswer   = 4
	callJoin     = 10
	callReAttest = 14
)

// Times between two attempts.
const (
	reconnectAfter = 2 * time.Second
	registerAfter  = 10 // blocks; joining and attesting as well
	followAfter    = 10 // final blocks after which the enclave is told even if nothing happened
	maxWarps       = 64 // proofs in a row, for an enclave that was away for long
)

// Status is how the worker stands with the chain.
type Status struct {
	Best       uint32       `json:"best"`       // number of the best block
	Final      uint32       `json:"final"`      // of the last final block that the enclave knows
	Slot       uint32       `json:"slot"`       // first block of the current slot
	Reported   uint32       `json:"reported"`   // slot of the latest heartbeat in the chain
	Registered bool         `json:"registered"` // whether the account's worker is this one
	Suspended  bool         `json:"suspended"`  // whether it missed an audit
	Record     proof.Record `json:"-"`          // in the best block
	Heartbeats uint64       `json:"heartbeats"` // that were signed since the start
	Answers    uint64       `json:"answers"`    // to audits that were sent since the start
	Files      uint64       `json:"fileReports"`
	Losses     uint64       `json:"losses"` // that were declared
	Error      string       `json:"error,omitempty"`
}

// Reporter says to a chain what a worker has to say.
type Reporter struct {
	w     *worker.Worker
	chain Chain
	cfg   Config
	m     *slots.Machine
	group *lifecycle.Group

	last       []byte // call of the latest heartbeat
	lostIn     uint32 // slot in which too much was lost for a heartbeat; 0: none
	skip       uint32 // slot in which no heartbeat can be signed
	registered uint32 // best block when that was tried last
	joined     uint32 // the same
	attested   uint32 // the same
	checked    uint32 // final block that the enclave was told of last

	mu     sync.Mutex // guards all below
	busy   bool       // something signed is on its way
	status Status
}

// New returns a reporter.
func New(w *worker.Worker, chain Chain, cfg Config) *Reporter {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := slots.New(slots.Config{Lineage: w.Identity().Lineage, ReportSlot: cfg.ReportSlot, Deadline: cfg.Params.Deadline, AuditWindow: cfg.Params.AuditWindow})
	return &Reporter{w: w, chain: chain, cfg: cfg, m: m}
}

// Status returns how the worker stands.
func (r *Reporter) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Run follows the chain until ctx ends. It returns an error if the enclave is gone, or the
// chain knows the worker no more.
func (r *Reporter) Run(ctx context.Context) error {
	if id := r.chain.Account(); id != types.AccountID(r.w.Identity().Account) {
		return fmt.Errorf("the enclave works for account 0x%x, the key is that of 0x%x: use the key that it was born for", r.w.Identity().Account, id)
	}
	r.group = lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	r.group.Go("reports", r.follow)
	return r.group.Wait()
}

func (r *Reporter) follow(ctx context.Context) error {
	for {
		at, number, err := r.chain.Next(ctx)
		if err == nil {
			err = r.head(ctx, at, number)
			if fatal(err) {
				return err
			}
			r.note(func(s *Status) { s.Error = text(err) })
			if err != nil && ctx.Err() == nil {
				r.cfg.Log.Warn("not all could be done for a block", "block", number, "err", err)
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		r.cfg.Log.Warn("the node is gone; trying again", "err", err)
		r.note(func(s *Status) { s.Error = text(err) })
		for err != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(reconnectAfter):
			}
			if err = r.chain.Connect(ctx); err == nil {
				r.cfg.Log.Info("the node is back")
			}
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (r *Reporter) note(f func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.status)
}

// errFatal marks errors after which reporting makes no sense.
var errFatal = errors.New("storage stops")

func fatal(err error) bool {
	return errors.Is(err, errFatal) || errors.Is(err, worker.ErrRetired) || errors.Is(err, worker.ErrEnclave) || errors.Is(err, trusted.ErrEnded) || errors.Is(err, worker.ErrOtherPlan)
}

// head does what a new best block calls for.
func (r *Reporter) head(ctx context.Context, at types.Hash, number uint32) error {
	v, audit, err := r.chain.View(ctx, at, number, r.w.Identity().Lineage)
	if err != nil {
		return err
	}
	if err := r.tell(ctx, &v); err != nil {
		return err
	}
	record, final := r.w.Record()
	r.note(func(s *Status) {
		s.Best, s.Final, s.Slot, s.Reported, s.Registered, s.Suspended, s.Record = number, final, v.Start, v.Reported, v.Registered, v.Failed, v.Record
	})
	switch {
	case !v.Registered && record.Counter > 0:
		return nil // a re-org, or it was retired: what is final will say
	case !v.Registered:
		return r.register(ctx, &v)
	}
	if v.Failed {
		return fmt.Errorf("%w: the chain suspended this worker, because an audit was not answered in time: register a new one, with a base path and disks of its own", errFatal)
	}
	g, err := r.chain.Group(ctx, at)
	if err != nil {
		return err
	}
	if err := r.w.CountsFor(g); err != nil {
		return err
	}
	if err := r.join(g.Owner, number); err != nil {
		r.cfg.Log.Warn("not in the group", "err", err)
	}
	if err := r.attest(ctx, at, number); err != nil {
		r.cfg.Log.Warn("the enclave may have to attest again", "err", err)
	}
	own := slots.Own{Counter: record.Counter, Changes: r.w.Changes(), Lost: r.lostIn == v.Start && v.Start != 0}
	t := r.m.Head(&v, &own)
	var all []error
	if t.Answer {
		all = append(all, r.answer(ctx, &v, audit))
	}
	if t.Heartbeat && r.skip != v.Start {
		all = append(all, r.heartbeat(ctx, &v))
	}
	if t.Again {
		r.m.SentAgain(&v)
		all = append(all, r.chain.Free(ctx, r.last))
	}
	if t.Loss {
		all = append(all, r.declare(ctx, &v, t.LossUntil))
	}
	if t.Files {
		all = append(all, r.files(&v, t.FilesFrom))
	}
	return errors.Join(all...)
}

// tell tells the enclave what is final, if it should know.
func (r *Reporter) tell(ctx context.Context, v *slots.View) error {
	final, err := r.chain.Final(ctx)
	if err != nil {
		return err
	}
	record, known := r.w.Record()
	same := !v.Registered && record.Counter == 0 || record.Counter == v.Record.Counter && record.Changes == v.Record.Changes
	if final <= known || same && final < r.checked+followAfter {
		return nil
	}
	for range maxWarps {
		warp, nodes, err := r.chain.Proofs(ctx, known)
		if err != nil {
			return fmt.Errorf("asking the node what is final after block %d: %w", known, err)
		}
		o, err := r.w.Follow(warp, nodes, r.cfg.Params.AuditWindow)
		if err != nil {
			return err
		}
		if o != trusted.Unchanged {
			r.cfg.Log.Debug("what became of the last step", "outcome", outcomes[o])
		}
		_, now := r.w.Record()
		if now == known || len(nodes) > 0 {
			r.checked = now
			return nil
		}
		known = now
	}
	return nil
}

var outcomes = [...]string{"unchanged", "committed", "lapsed", "diverged", "retired"}

// register makes the enclave the account's worker.
func (r *Reporter) register(ctx context.Context, v *slots.View) error {
	if r.registered != 0 && v.Number < r.registered+registerAfter {
		return nil
	}
	r.registered = v.Number
	if (v.Record.Lineage != proof.Lineage{}) && !r.cfg.Replace {
		return fmt.Errorf("%w: the account has another worker, %x: go on with its files, or give --replace to take its place, which drops all that it has proved", errFatal, v.Record.Lineage)
	}
	money, err := r.chain.Balance(ctx)
	if err != nil {
		return err
	}
	if money.Sign() == 0 {
		return fmt.Errorf("account 0x%x has no money to register with: send it some", r.chain.Account())
	}
	quote, anchor, err := r.quote(ctx)
	if err != nil {
		return err
	}
	id := r.w.Identity()
	call := append(scale.AppendBytes([]byte{pallet, callRegister}, quote), id.Key[:]...)
	call = scale.AppendU32(append(call, id.Lineage[:]...), anchor)
	r.cfg.Log.Info("registering", "worker", fmt.Sprintf("%x", id.Lineage))
	r.send("registration", call)
	return nil
}

// quote is the platform's word for the enclave, made after a recent block.
func (r *Reporter) quote(ctx context.Context) (quote []byte, anchor uint32, err error) {
	anchor, at, err := r.chain.Anchor(ctx)
	if err != nil {
		return nil, 0, err
	}
	if quote, err = r.w.Quote(at); err != nil {
		return nil, 0, fmt.Errorf("the platform makes no quote: %w", err)
	}
	return quote, anchor, nil
}

// attest attests again, when half of the time for it is over.
func (r *Reporter) attest(ctx context.Context, at types.Hash, number uint32) error {
	if r.attested != 0 && number < r.attested+registerAfter {
		return nil
	}
	r.attested = number
	age, period, err := r.chain.Attested(ctx, at, r.w.Identity().Key)
	if err != nil || period == 0 || age < period/2 {
		return err
	}
	quote, anchor, err := r.quote(ctx)
	if err != nil {
		return err
	}
	r.send("new attestation", scale.AppendU32(scale.AppendBytes([]byte{pallet, callReAttest}, quote), anchor))
	return nil
}

// join joins the group that the worker is to count for, if it counts for nobody.
func (r *Reporter) join(owner types.AccountID, number uint32) error {
	if (r.cfg.Owner == types.AccountID{}) || r.joined != 0 && number < r.joined+registerAfter {
		return nil
	}
	r.joined = number
	switch owner {
	case r.cfg.Owner:
		return nil
	case types.AccountID{}:
		r.send("request to join the group", append([]byte{pallet, callJoin}, r.cfg.Owner[:]...))
		return nil
	}
	return fmt.Errorf("the worker counts for 0x%x, not for 0x%x: leave that group with `crust group quit`", owner, r.cfg.Owner)
}

// hints say what to do about the errors of calls.
var hints = map[string]string{
	"GroupOwnerForbidden": "the owner of a group cannot be a storage node: use another account",
	"IllegalIdentity":     "the chain does not know this enclave program, or does not trust its platform",
	"NotInAllowlist":      "the owner allows the account first, with `crust group allow`",
	"NotOwner":            "the owner makes the group first, with `crust group create`",
	"QueueFull":           "the chain is still busy with earlier changes: they are sent again",
	"LineageUsed":         "this worker was retired: begin with a new base path and new disks",
}

// send has something signed sent in the background; one at a time.
func (r *Reporter) send(what string, call []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		return false
	}
	r.busy = true
	r.group.Go(what, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		err := r.chain.Signed(ctx, call)
		r.note(func(*Status) { r.busy = false })
		var d *metadata.DispatchError
		switch {
		case errors.As(err, &d):
			r.cfg.Log.Warn("the chain refused a "+what, "err", err, "hint", hints[d.Name])
		case err != nil && ctx.Err() == nil:
			r.cfg.Log.Warn("a "+what+" could not be sent; it is tried again", "err", err)
		case err == nil:
			r.cfg.Log.Info("the chain took a " + what)
		}
		return nil
	})
	return true
}

// sendTimeout is when a transaction that is in no block is given up: signatures hold for about that long.
const sendTimeout = 5 * time.Minute

// signedCall is a call with what the enclave signed.
func signedCall(index byte, s *trusted.Signed) []byte {
	return append(append([]byte{pallet, index}, s.Message...), s.Signature[:]...)
}

func (r *Reporter) heartbeat(ctx context.Context, v *slots.View) error {
	s, err := r.w.Heartbeat(ctx, r.cfg.Params, worker.Slot{Start: v.Start, Hash: v.Hash, Beacon: v.Beacon})
	switch {
	case errors.Is(err, trusted.ErrTooManyBad):
		r.lostIn = v.Start
		return fmt.Errorf("no heartbeat in slot %d, the loss is declared instead: %w", v.Start, err)
	case errors.Is(err, trusted.ErrPending):
		r.skip = v.Start
		return fmt.Errorf("no heartbeat in slot %d: %w", v.Start, err)
	case err != nil:
		return fmt.Errorf("heartbeat of slot %d: %w", v.Start, err)
	}
	r.last = signedCall(callReport, s)
	r.m.Signed(v)
	r.note(func(s *Status) { s.Heartbeats++ })
	r.cfg.Log.Info("heartbeat", "slot", v.Start, "counter", v.Record.Counter+1)
	if err := r.chain.Free(ctx, r.last); err != nil {
		return fmt.Errorf("sending the heartbeat of slot %d: %w", v.Start, err)
	}
	return nil
}

func (r *Reporter) answer(ctx context.Context, v *slots.View, a *worker.Audit) error {
	r.m.Answered(v)
	answer, err := r.w.Answer(a)
	if err != nil {
		return err
	}
	if err := r.chain.Free(ctx, answer.AppendSCALE([]byte{pallet, callAnswer})); err != nil {
		return fmt.Errorf("sending the answer to the audit of slot %d: %w", a.Slot, err)
	}
	r.note(func(s *Status) { s.Answers++ })
	r.cfg.Log.Info("answered an audit", "slot", a.Slot)
	return nil
}

func (r *Reporter) declare(ctx context.Context, v *slots.View, until uint32) error {
	s, err := r.w.Loss(ctx, r.cfg.Params, until)
	if err != nil {
		return fmt.Errorf("declaring a loss: %w", err)
	}
	if r.send("declared loss", signedCall(callLoss, s)) {
		r.m.Declared(v)
		r.note(func(s *Status) { s.Losses++ })
	}
	return nil
}

func (r *Reporter) files(v *slots.View, from uint64) error {
	s, err := r.w.FileReport(from)
	if err != nil {
		return fmt.Errorf("file report from change %d on: %w", from, err)
	}
	if r.send("file report", signedCall(callFiles, s)) {
		r.m.Told(v)
		r.note(func(s *Status) { s.Files++ })
	}
	return nil
}
