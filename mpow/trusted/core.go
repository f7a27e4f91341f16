package trusted

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
)

// Errors that callers tell apart.
var (
	// ErrLoading reports that plan, index and log have to be loaded first.
	ErrLoading = errors.New("trusted: plan, files and log are not loaded")
	// ErrEnded reports that the chain knows this worker no more: it signs nothing.
	ErrEnded = errors.New("trusted: the chain has retired this worker")
	// ErrState reports a sealed state that does not open here.
	ErrState = errors.New("trusted: not a state that this enclave sealed")
)

// Phase says what a core can do.
type Phase uint8

// The phases.
const (
	Loading Phase = iota // the host has to load plan, index and log of the record
	Ready
	Ended // keys of a worker that the chain retired
)

// Env is what the platform gives an enclave.
type Env struct {
	Rand    io.Reader
	Sealing [32]byte // key of platform and code: only this code on this machine has it
}

// Birth is what a new enclave is bound to for ever.
type Birth struct {
	Account    Hash             // of the member
	Genesis    Hash             // of the network
	Checkpoint light.Checkpoint // in the program, not from the host
}

// fresh is what no plan has yet. A unit is in at most one of fresh, pending and plan.
type fresh struct {
	units [2][]proof.Descriptor // by kind
	files []proof.File          // new ones, and entries that moves rewrote
}

// Core is the machine. It belongs to one goroutine; create it with New or Open.
type Core struct {
	env    Env
	secret secret
	key    *ed25519.KeyPair
	light  *light.Client
	phase  Phase

	// record is the last one known to be final, or that of a new worker; ledger is
	// what it commits to, once loaded; pending is the step that was signed after it.
	record     proof.Record
	registered bool
	ledger     proof.Ledger
	pending    *pending
	load       *loading

	fresh  fresh
	doomed map[proof.FileID]bool   // files to leave with the next step
	again  map[proof.FileID]bool   // files of the index that the chain is to be told of once more
	held   map[string]proof.FileID // CIDs that are in the index, pending, fresh or on their way
	files  map[proof.FileID]*File  // on their way
	blocks int                     // that their walks know

	challenge *Challenge
	unsigned  *unsigned
	seq       uint64 // of the latest Persist
}

func newCore(env Env) *Core {
	return &Core{env: env, doomed: map[proof.FileID]bool{}, again: map[proof.FileID]bool{}, held: map[string]proof.FileID{}, files: map[proof.FileID]*File{}}
}

// New bears a worker: keys and lineage are drawn, once. Its state has to be durable
// before it registers.
func New(birth Birth, env Env) (*Core, error) {
	c := newCore(env)
	var err error
	if c.secret, err = newSecret(birth.Account, birth.Genesis, env.Rand); err != nil {
		return nil, err
	}
	if c.light, err = light.New(birth.Checkpoint); err != nil {
		return nil, err
	}
	c.key = ed25519.FromSeed(c.secret.seed)
	c.record = proof.NewRecord(c.key.Public(), c.secret.lineage)
	c.phase = Ready
	return c, nil
}

// stateTag is the associated data of sealed states.
const stateTag = "crust/mpow/state/v1"

// stateFormat is the first byte of a sealed state.
const stateFormat = 1

// maxState bounds what Open looks at: a light client with its headers is most of it.
const maxState = 32 << 20

func (e *Env) aead() cipher.AEAD {
	b, err := aes.NewCipher(e.Sealing[:])
	if err != nil {
		panic(err) // only for a length that AES does not have
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		panic(err) // only for a cipher of another block size
	}
	return a
}

// State seals what has to survive: secrets, the last record known to be final, what
// was signed after it, and the light client.
func (c *Core) State() ([]byte, error) {
	b := c.secret.appendSCALE(nil)
	b = c.record.AppendSCALE(b)
	b = scale.AppendBool(scale.AppendBool(b, c.registered), c.phase == Ended)
	b = scale.AppendBool(b, c.pending != nil)
	if c.pending != nil {
		b = c.pending.appendSCALE(b)
	}
	b = scale.AppendBytes(b, c.light.AppendSCALE(nil))
	out := make([]byte, 13, 13+len(b)+16)
	out[0] = stateFormat
	if err := draw(c.env.Rand, out[1:]); err != nil {
		return nil, err
	}
	return c.env.aead().Seal(out, out[1:13], b, []byte(stateTag)), nil
}

// Open goes on from a sealed state. Nothing that was fresh when it was sealed is
// there; units and files come back by their tickets.
func Open(state []byte, env Env) (*Core, error) {
	if len(state) < 13 || len(state) > maxState || state[0] != stateFormat {
		return nil, fmt.Errorf("%w: %d bytes", ErrState, len(state))
	}
	b, err := env.aead().Open(nil, state[1:13], state[13:], []byte(stateTag))
	if err != nil {
		return nil, fmt.Errorf("%w: it does not authenticate", ErrState)
	}
	c := newCore(env)
	cur := scale.NewCursor(b)
	c.secret.decodeSCALE(cur)
	c.record.DecodeSCALE(cur)
	c.registered = cur.Bool()
	ended := cur.Bool()
	if cur.Bool() {
		c.pending = new(pending)
		c.pending.decodeSCALE(cur)
	}
	lightState := cur.BytesRef(maxState)
	if err := cur.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrState, err)
	}
	if c.light, err = light.Decode(lightState); err != nil {
		return nil, err
	}
	c.key = ed25519.FromSeed(c.secret.seed)
	if ended {
		c.phase = Ended
	} else {
		c.reload(c.record)
	}
	return c, nil
}

// Identity is what an enclave says of itself in clear.
type Identity struct {
	Key     Hash
	Lineage proof.Lineage
	Account Hash
	Genesis Hash
	Phase   Phase
	Record  proof.Record // the last one known to be final
	Final   uint32       // number of the last block known to be final
	Pending bool         // whether a signed step waits to become final
}

// Identity returns it.
func (c *Core) Identity() Identity {
	_, h := c.light.Final()
	return Identity{c.key.Public(), c.secret.lineage, c.secret.account, c.secret.genesis, c.phase, c.record, uint32(h.Number), c.pending != nil}
}

// ReportData is what the quote that registers the worker has to bind, with the hash
// of a recent block.
func (c *Core) ReportData(anchor Hash) [64]byte {
	return proof.ReportData(c.secret.genesis, c.secret.account, c.key.Public(), c.secret.lineage, anchor)
}

// Ledger is a copy of what the last final record commits to.
func (c *Core) Ledger() (proof.Ledger, error) {
	if err := c.ready(); err != nil {
		return proof.Ledger{}, err
	}
	return c.ledger.Clone(), nil
}

// ready fails unless the core can work.
func (c *Core) ready() error {
	switch c.phase {
	case Loading:
		return ErrLoading
	case Ended:
		return ErrEnded
	}
	return nil
}

// maxFresh bounds what may wait for a plan, of each kind of unit and of files.
const maxFresh = proof.MaxTransition

// addUnit keeps a unit for the next step.
func (c *Core) addUnit(k proof.Kind, d proof.Descriptor) error {
	if len(c.fresh.units[k]) >= maxFresh {
		return fmt.Errorf("%w: %d units wait for a report", ErrBusy, maxFresh)
	}
	c.fresh.units[k] = append(c.fresh.units[k], d)
	return nil
}

// ErrTicket reports a ticket that this enclave did not write.
var ErrTicket = errors.New("trusted: not a ticket of this enclave")

// RestoreUnit takes back a unit that no plan had when the enclave stopped. One that
// is known already is taken and ignored.
func (c *Core) RestoreUnit(k proof.Kind, d proof.Descriptor, t Ticket) error {
	if err := c.ready(); err != nil {
		return err
	}
	if k > proof.Data || c.secret.unitTicket(k, &d) != t {
		return fmt.Errorf("unit %x: %w", d.ID, ErrTicket)
	}
	same := func(o proof.Descriptor) bool { return o.ID == d.ID }
	if slices.ContainsFunc(c.fresh.units[k], same) || c.pending.adds(k, d.ID) {
		return nil
	}
	return c.addUnit(k, d) // a step leaves out what the plan has
}

// RestoreFile takes back a file, or what a move made of its entry, that no plan had
// when the enclave stopped.
func (c *Core) RestoreFile(f proof.File, t Ticket) error {
	if err := c.ready(); err != nil {
		return err
	}
	if c.secret.fileTicket(&f) != t {
		return fmt.Errorf("file %x: %w", f.CID, ErrTicket)
	}
	if id, held := c.held[string(f.CID)]; held && id != f.ID {
		return fmt.Errorf("file %x: %w", f.CID, ErrHeld)
	}
	same := func(o proof.File) bool { return o.ID == f.ID }
	if old := c.entry(f.ID); old != nil && slices.Equal(old.Parts, f.Parts) || c.pending.keeps(f.ID) || slices.ContainsFunc(c.fresh.files, same) {
		return nil
	}
	if len(c.fresh.files) >= maxFresh {
		return fmt.Errorf("%w: %d files wait for a report", ErrBusy, maxFresh)
	}
	c.fresh.files = append(c.fresh.files, f)
	c.held[string(f.CID)] = f.ID
	return nil
}
