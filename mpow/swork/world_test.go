package swork_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// registry stands for the attestation pallet, with its rules about keys and
// platforms; a quote is the evidence itself. It is a pallet so that a call that
// fails undoes what it did here as well.
type registry struct {
	frame.Base
	Keys      frame.Map[types.Hash, keyState]   `frame:"identity,optional"`
	Spent     frame.Map[types.Hash, bool]       `frame:"identity"`
	Platforms frame.Map[types.Hash, platformAt] `frame:"identity"`
}

type keyState struct {
	Platform, Code types.Hash
	Suspended      bool // for good
	Stale          bool // for now
	Renewed        uint32
}

type platformAt struct {
	Keys   uint32
	Since  types.Moment
	Barred types.BlockNumber
	Cap    uint64
}

const (
	keysPerPlatform = 8
	fullCap         = 1 << 50
	birthday        = types.Moment(1000)
)

var (
	errQuote  = frame.NewError("BadQuote")
	errKey    = frame.NewError("KeyUsed")
	errKeys   = frame.NewError("TooManyKeys")
	errBarred = frame.NewError("PlatformBarred")
	errAnchor = frame.NewError("BadAnchor")
)

func (r *registry) Spec() frame.Spec {
	return frame.Spec{Errors: []*frame.Error{errQuote, errKey, errKeys, errBarred, errAnchor}}
}

func (*registry) Docs() frame.Docs {
	d := frame.Docs{"": "Stands for attestation."}
	for _, n := range []string{"Keys", "Spent", "Platforms", "BadQuote", "KeyUsed", "TooManyKeys", "PlatformBarred", "BadAnchor"} {
		d[n] = "For tests."
	}
	return d
}

func (r *registry) Anchor(e *frame.Env, n types.BlockNumber) (types.Hash, error) {
	if n >= e.Number() || e.Number()-n > 100 {
		return types.Hash{}, r.Fail(errAnchor)
	}
	return hashOf(n), nil
}

func (r *registry) Verify(_ *frame.Env, quote []byte) (swork.Evidence, error) {
	var ev swork.Evidence
	if len(quote) != 128 {
		return ev, r.Fail(errQuote)
	}
	copy(ev.Code[:], quote)
	copy(ev.Platform[:], quote[32:])
	copy(ev.ReportData[:], quote[64:])
	ev.Of = r
	return ev, nil
}

func (r *registry) Admit(e *frame.Env, key types.Hash, ev swork.Evidence) error {
	p := r.Platforms.Get(e, ev.Platform)
	switch {
	case ev.Of != any(r):
		panic("evidence of another")
	case r.Spent.Get(e, key):
		return r.Fail(errKey)
	case e.Number() < p.Barred:
		return r.Fail(errBarred)
	case p.Keys >= keysPerPlatform:
		return r.Fail(errKeys)
	}
	if p.Since == 0 {
		p.Since, p.Cap = birthday, fullCap
	}
	p.Keys++
	r.Platforms.Put(e, ev.Platform, p)
	r.Keys.Put(e, key, keyState{Platform: ev.Platform, Code: ev.Code})
	r.Spent.Put(e, key, true)
	return nil
}

func (r *registry) VerifyFor(e *frame.Env, _ types.Hash, quote []byte) (swork.Evidence, error) {
	return r.Verify(e, quote)
}

func (r *registry) Renew(e *frame.Env, key types.Hash, ev swork.Evidence) (bool, error) {
	k := r.Keys.Get(e, key)
	if k.Platform != ev.Platform || k.Code != ev.Code {
		return false, r.Fail(errQuote)
	}
	k.Stale = false
	k.Renewed++
	r.Keys.Put(e, key, k)
	return k.Renewed > 1, nil // as if a day had passed each time but the first
}

func (r *registry) Retire(e *frame.Env, key types.Hash) {
	k := r.Keys.Take(e, key)
	p := r.Platforms.Get(e, k.Platform)
	p.Keys--
	r.Platforms.Put(e, k.Platform, p)
}

func (r *registry) Suspend(e *frame.Env, key types.Hash) {
	k := r.Keys.Get(e, key)
	k.Suspended = true
	r.Keys.Put(e, key, k)
}

func (r *registry) Bar(e *frame.Env, platform types.Hash, before types.BlockNumber) {
	p := r.Platforms.Get(e, platform)
	p.Barred = max(p.Barred, before)
	r.Platforms.Put(e, platform, p)
}

func (r *registry) Standing(e *frame.Env, key types.Hash) swork.Standing {
	k, ok := r.Keys.Lookup(e, key)
	p := r.Platforms.Get(e, k.Platform)
	return swork.Standing{Live: ok && !k.Suspended && !k.Stale && e.Number() >= p.Barred, Since: p.Since, Cap: p.Cap, Keys: p.Keys}
}

// market records what it is told.
type market struct {
	room    int
	reports []swork.FileChanges
	removed []swork.Lineage
	files   map[swork.Lineage]swork.Files // of replicas that stood a challenge
	asked   map[swork.Lineage]uint64      // counter in the latest question
}

func (m *market) QueueRoom(*frame.Env, swork.Lineage) int { return m.room }
func (m *market) QueueReport(_ *frame.Env, _ swork.Lineage, r swork.FileChanges) error {
	m.reports = append(m.reports, r)
	return nil
}
func (m *market) RemoveWorker(_ *frame.Env, l swork.Lineage) {
	m.removed = append(m.removed, l)
	delete(m.files, l)
}
func (m *market) FilesOf(_ *frame.Env, l swork.Lineage, counter uint64) swork.Files {
	m.asked[l] = counter
	return m.files[l]
}

// limits records what counts, and demands that it is whole.
type limits struct {
	t         testing.TB
	total     fixed.U128
	next      map[types.AccountID]uint64
	published map[types.AccountID]uint64
	rounds    int
}

func (l *limits) BeginRecount(_ *frame.Env, total fixed.U128) {
	l.total, l.next = total, map[types.AccountID]uint64{}
}
func (l *limits) AddWorkloads(_ *frame.Env, works []swork.Workload) {
	for _, w := range works {
		if _, twice := l.next[w.Owner]; twice || l.next == nil {
			l.t.Errorf("owner %x twice, or before the recount began", w.Owner)
		}
		l.next[w.Owner] = w.Bytes.Lo
	}
}
func (l *limits) PublishRecount(*frame.Env) {
	sum := uint64(0)
	for _, n := range l.next {
		sum += n
	}
	if sum != l.total.Lo {
		l.t.Errorf("the owners have %d together, the total is %d", sum, l.total.Lo)
	}
	l.published, l.next = l.next, nil
	l.rounds++
}

// world is a chain with the pallet and what stands around it.
type world struct {
	*frametest.Chain
	p        *swork.Pallet
	registry *registry
	market   *market
	limits   *limits
	free     int          // reports that are free
	now      types.Moment // time of the blocks
	outputs  func(n types.BlockNumber) ([32]byte, bool)
	born     byte
}

func hashOf(n types.BlockNumber) types.Hash { return types.Hash{byte(n), byte(n >> 8), 1} }

func (w *world) Randomness(*frame.Env) [32]byte { return [32]byte{42} }
func (w *world) Output(e *frame.Env) ([32]byte, bool) {
	if w.outputs != nil {
		return w.outputs(e.Number())
	}
	return [32]byte{byte(e.Number()), byte(e.Number() >> 8), 9}, true
}
func (w *world) Get(*frame.Env) types.Moment { return w.now }
func (w *world) FreeReport(*frame.Env, types.AccountID) bool {
	w.free--
	return w.free >= 0
}

var code = types.Hash{0xc0}

type option func(*swork.Pallet)

// withOdds sets how seldom audits are.
func withOdds(n uint32) option {
	return func(p *swork.Pallet) { p.AuditOdds = frame.ConstOf(n) }
}

// newWorld is a chain with slots of 20 blocks. Audits are rare unless an option says
// otherwise.
func newWorld(t testing.TB, options ...option) *world {
	w := &world{registry: &registry{}, market: &market{room: 300, files: map[swork.Lineage]swork.Files{}, asked: map[swork.Lineage]uint64{}}, limits: &limits{t: t}, now: 1 << 40}
	sys := frametest.NewSystem()
	w.p = &swork.Pallet{
		ReportSlot: frame.ConstOf(types.BlockNumber(20)), UpdateOffset: frame.ConstOf(types.BlockNumber(3)), Deadline: frame.ConstOf(types.BlockNumber(12)),
		AuditWindow: frame.ConstOf(types.BlockNumber(16)), PunishmentSlots: frame.ConstOf(uint32(4)), MaxGroupSize: frame.ConstOf(uint32(4)),
		Samples: frame.ConstOf(uint32(16)), AuditOdds: frame.ConstOf(uint32(1 << 31)), UnitLeaves: frame.ConstOf(uint32(4)), PublicAddresses: frame.ConstOf(true),
		Attest: w.registry, Market: w.market, Limits: w.limits, Benefits: w, Random: w, Blocks: sys, Time: w,
	}
	for _, o := range options {
		o(w.p)
	}
	w.Chain = frametest.NewWith(t, sys, frametest.Module(25, "Swork", w.p), frametest.Module(42, "Attest", w.registry))
	w.Genesis(map[string]any{"Swork": map[string]any{"codes": []any{map[string]any{"code": fmt.Sprintf("0x%x", code[:]), "version": 1, "until": 1 << 30}}}})
	return w
}

func acc(n int) types.AccountID { return types.AccountID{byte(n), byte(n >> 8), 7} }

// worker is a member that signs what it is told to: an enclave without the checks.
type worker struct {
	w        *world
	account  types.AccountID
	platform types.Hash
	pair     *ed25519.KeyPair
	lineage  swork.Lineage
}

// birth makes the keys of a new worker.
func (w *world) birth(account types.AccountID) *worker {
	w.born++
	m := &worker{w: w, account: account, platform: types.Hash{w.born, 5}, pair: ed25519.FromSeed([32]byte{w.born, 3}), lineage: swork.Lineage{w.born, 4}}
	m.lineage[15] = account[0]
	return m
}

// args are those of a registration that is right.
func (m *worker) args() *swork.RegisterArgs {
	anchor := m.w.Number - 1
	return &swork.RegisterArgs{Quote: m.quote(anchor), Pubkey: m.pair.Public(), Lineage: m.lineage, AnchorBlock: anchor}
}

func (m *worker) quote(anchor types.BlockNumber) []byte {
	data := proof.ReportData(hashOf(0), m.account, m.pair.Public(), m.lineage, hashOf(anchor))
	return append(append(append([]byte{}, code[:]...), m.platform[:]...), data[:]...)
}

func (m *worker) call(e *frame.Env, name string, args any) error {
	return m.w.Call(e, frame.Signed(m.account), "Swork", name, args)
}

// register registers a new worker of an account, in a block of its own.
func (w *world) register(account types.AccountID) *worker {
	w.T.Helper()
	if w.Number < 2 {
		w.Run(2)
	}
	m := w.birth(account)
	w.do(func(e *frame.Env) error { return m.call(e, "register", m.args()) })
	return m
}

// do runs a block in which something has to succeed.
func (w *world) do(f func(e *frame.Env) error) {
	w.T.Helper()
	w.Block(func(e *frame.Env) {
		w.T.Helper()
		if err := f(e); err != nil {
			w.T.Fatal(err)
		}
	})
}

// record is what the chain has of the worker.
func (m *worker) record() swork.Record {
	r, ok := m.w.p.Records.Lookup(m.w.Env(), m.account)
	if !ok || r.Lineage != m.lineage {
		m.w.T.Fatalf("no record of %x", m.lineage)
	}
	return r
}

func (m *worker) state() swork.Worker {
	return m.w.p.Workers.Get(m.w.Env(), m.lineage)
}

// plan is some plan of that many leaves.
func plan(filler, data, fresh uint64) proof.Totals {
	h := frame.Blake2b256(scale.AppendU64(scale.AppendU64(nil, filler), data))
	return proof.Totals{Root: h, Filler: filler, Data: data, New: fresh}
}

// report is the worker's next heartbeat by what the chain shows.
func (m *worker) report(next proof.Totals, change ...func(*proof.Report)) *swork.ReportWorksArgs {
	r, slot := m.record(), m.w.p.Slot.Get(m.w.Env())
	a := &swork.ReportWorksArgs{Report: swork.Report{Report: proof.Report{
		Lineage: m.lineage, Slot: slot.Start, Hash: slot.Hash, Beacon: slot.Beacon, Counter: r.Counter + 1, Challenged: r.Plan.Root, Plan: next,
		Files: r.Files, FilesSize: r.FilesSize, Due: r.Due,
	}}}
	for _, f := range change {
		f(&a.Report.Report)
	}
	m.sign(a)
	return a
}

func (m *worker) sign(a *swork.ReportWorksArgs) {
	params := m.w.p.Params()
	a.Signature = m.pair.Sign(a.Report.Message(hashOf(0), &params))
}

// submit takes an unsigned call the way a block does: judged first, then dispatched.
func (w *world) submit(e *frame.Env, name string, args any) error {
	w.T.Helper()
	call, err := w.Runtime.NewRuntimeCall("Swork", name, args)
	if err != nil {
		w.T.Fatal(err)
	}
	_, judged := w.p.ValidateUnsigned(e, frame.SourceInBlock, call)
	before := len(w.Events(e))
	err = call.Dispatch(e, frame.None())
	if judged != nil && err == nil && !errors.Is(judged, frame.ErrBadProof) {
		w.T.Fatalf("%s: refused (%v) but for the dispatch", name, judged)
	}
	if judged == nil && err != nil {
		w.T.Fatalf("%s: admitted, but %v", name, err)
	}
	if err != nil && len(w.Events(e)) != before {
		w.T.Fatalf("%s failed and left an event", name)
	}
	return errors.Join(judged, err)
}

// beacon runs to the block in which the next slot's beacon is known.
func (w *world) beacon() uint32 {
	w.T.Helper()
	at := w.Number/20*20 + 3
	if at < 20 || w.Number >= at {
		at += 20
	}
	w.Run(at)
	return w.p.Slot.Get(w.Env()).Start
}

// to runs to an offset in the current slot.
func (w *world) to(offset types.BlockNumber) {
	w.T.Helper()
	w.Run(w.Number/20*20 + offset)
}

// slot lives through a slot in which workers report plans.
func (w *world) slot(plans map[*worker]proof.Totals) {
	w.T.Helper()
	w.beacon()
	args := map[*worker]*swork.ReportWorksArgs{}
	for m, p := range plans {
		args[m] = m.report(p)
	}
	w.do(func(e *frame.Env) error {
		var all error
		for _, a := range args {
			all = errors.Join(all, w.submit(e, "report_works", a))
		}
		return all
	})
	w.to(19)
}

// owned is what counts for an owner.
func (w *world) owned(owner types.AccountID) uint64 {
	n := w.limits.published[owner]
	if got := w.p.Workload(w.Env(), owner); got.Lo != n {
		w.T.Errorf("the workload of %x is told as %d, published were %d", owner, got.Lo, n)
	}
	return n
}
