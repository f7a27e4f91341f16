package imonline

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the im-online pallet.
type Pallet struct {
	frame.Base

	UnsignedPriority frame.Const[uint64] // priority of heartbeats in the pool
	MaxKeys          frame.Const[uint32] // how many validators are watched

	HeartbeatAfter     frame.Value[types.BlockNumber]                               // block after which validators that made no block should send a heartbeat
	Keys               frame.Value[[]session.ImOnlineID]                            // keys of the validators of the current session, by position
	ReceivedHeartbeats frame.DoubleMap[types.SessionIndex, uint32, bool]            `frame:"twox_64_concat,twox_64_concat,optional"` // positions of the validators that sent a heartbeat in the current session
	AuthoredBlocks     frame.DoubleMap[types.SessionIndex, types.AccountID, uint32] `frame:"twox_64_concat,twox_64_concat"`          // how many blocks each validator made in the current session

	Session    Session    // knows the validators
	Historical Historical // knows what stands behind them
	Offences   Offences   // takes reports
	// SessionLength is how many blocks a session has if every slot has one.
	SessionLength types.BlockNumber `frame:"-"`
}

// Session is what the pallet needs of package session.
type Session interface {
	SessionIndex(e *frame.Env) types.SessionIndex
	// ActiveValidators are the validators of the current session, by position.
	ActiveValidators(e *frame.Env) []types.AccountID
}

// Historical is what the pallet needs of package historical.
type Historical interface {
	// Identify is a validator with what stands behind it.
	Identify(e *frame.Env, index types.SessionIndex, validator types.AccountID) historical.Identity
}

// Offences is what the pallet needs of package offences.
type Offences interface {
	File(e *frame.Env, reporters []types.AccountID, r *offences.Report) error
}

// Kind is the kind of offence that is reported; the time slot is the session.
var Kind = offences.Kind([]byte("im-online:offlin"))

// Heartbeat is a sign of life, of which the signature is made.
type Heartbeat struct {
	BlockNumber    types.BlockNumber // best block when it was made
	SessionIndex   types.SessionIndex
	AuthorityIndex uint32 // position of the validator
	ValidatorsLen  uint32 // number of validators
}

// SCALEPath names the type for clients.
func (Heartbeat) SCALEPath() string { return "pallet_im_online::Heartbeat" }

// Signature is an sr25519 signature of the im-online key.
type Signature [64]byte

// SCALEPath names the type for clients.
func (Signature) SCALEPath() string { return "pallet_im_online::sr25519::app_sr25519::Signature" }

// Events.
type (
	// HeartbeatReceived says that a validator has sent a heartbeat.
	HeartbeatReceived struct{ AuthorityId session.ImOnlineID }
	// AllGood says that every validator was seen in the session that ended.
	AllGood struct{}
	// SomeOffline says which validators were not seen in the session that ended.
	SomeOffline struct{ Offline []historical.Identity }
)

// Errors.
var (
	// ErrInvalidKey says that no validator stands at the position.
	ErrInvalidKey = frame.NewError("InvalidKey")
	// ErrDuplicatedHeartbeat says that the validator has sent its heartbeat.
	ErrDuplicatedHeartbeat = frame.NewError("DuplicatedHeartbeat")
)

// invalidValidatorsLen is the code of a heartbeat that names a wrong number of validators.
const invalidValidatorsLen = 10

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			frame.NewCall("heartbeat", p.heartbeat, weights.heartbeat.At(0)).Info(func(a *HeartbeatArgs) frame.DispatchInfo {
				n := min(a.Heartbeat.ValidatorsLen, p.MaxKeys.Get())
				return frame.DispatchInfo{Weight: weights.heartbeat.At(int(n)), Class: frame.Operational}
			}),
		},
		Events: []any{HeartbeatReceived{}, AllGood{}, SomeOffline{}},
		Errors: []*frame.Error{ErrInvalidKey, ErrDuplicatedHeartbeat},
	}
}

// HeartbeatArgs are the arguments of heartbeat.
type HeartbeatArgs struct {
	Heartbeat Heartbeat
	Signature Signature
}

type positionKey = scale.Pair[types.SessionIndex, uint32]

type authorKey = scale.Pair[types.SessionIndex, types.AccountID]

// heartbeat notes a sign of life, whose signature has been checked.
func (p *Pallet) heartbeat(e *frame.Env, o frame.Origin, a HeartbeatArgs) error {
	if err := o.EnsureNone(); err != nil {
		return err
	}
	at := positionKey{A: p.Session.SessionIndex(e), B: a.Heartbeat.AuthorityIndex}
	if p.ReceivedHeartbeats.Exists(e, at) {
		return p.Fail(ErrDuplicatedHeartbeat)
	}
	keys := p.Keys.Get(e)
	if int64(at.B) >= int64(len(keys)) {
		return p.Fail(ErrInvalidKey)
	}
	p.ReceivedHeartbeats.Put(e, at, true)
	p.Emit(e, HeartbeatReceived{keys[at.B]})
	return nil
}

// ValidateUnsigned admits the first heartbeat of a validator that is not known to
// be there, in its session and with its signature.
func (p *Pallet) ValidateUnsigned(e *frame.Env, _ frame.Source, call frame.RuntimeCall) (frame.ValidTransaction, error) {
	var none frame.ValidTransaction
	a, ok := call.Args().(*HeartbeatArgs)
	if !ok {
		return none, frame.ErrCall
	}
	h := &a.Heartbeat
	index := p.Session.SessionIndex(e)
	if h.SessionIndex != index || p.isOnline(e, index, p.Session.ActiveValidators(e), h.AuthorityIndex) {
		return none, frame.ErrStale
	}
	keys := p.Keys.Get(e)
	if int64(h.ValidatorsLen) != int64(len(keys)) {
		return none, frame.Custom(invalidValidatorsLen)
	}
	if h.AuthorityIndex >= h.ValidatorsLen {
		return none, frame.ErrBadProof
	}
	key, codec := keys[h.AuthorityIndex], scale.CodecOf[Heartbeat]()
	if !sr25519.Verify(key, codec.Append(nil, h), a.Signature) {
		return none, frame.ErrBadProof
	}
	tag := scale.AppendU32(scale.AppendString(nil, "ImOnline"), uint32(index))
	return frame.ValidTransaction{
		Priority: p.UnsignedPriority.Get(), Provides: [][]byte{append(tag, key[:]...)}, Longevity: uint64(p.SessionLength / 2), Propagate: true,
	}, nil
}

// isOnline reports whether the validator at a position was seen in the session.
func (p *Pallet) isOnline(e *frame.Env, index types.SessionIndex, validators []types.AccountID, position uint32) bool {
	return int64(position) < int64(len(validators)) &&
		(p.AuthoredBlocks.Exists(e, authorKey{A: index, B: validators[position]}) || p.ReceivedHeartbeats.Exists(e, positionKey{A: index, B: position}))
}

// NoteAuthor notes that a validator has made a block.
func (p *Pallet) NoteAuthor(e *frame.Env, who types.AccountID) {
	at := authorKey{A: p.Session.SessionIndex(e), B: who}
	p.AuthoredBlocks.Put(e, at, p.AuthoredBlocks.Get(e, at)+1)
}

// OnGenesisSession sets the first keys.
func (p *Pallet) OnGenesisSession(e *frame.Env, validators []session.Entry) { p.setKeys(e, validators) }

// OnNewSession sets the keys of a session, and when its heartbeats are due.
func (p *Pallet) OnNewSession(e *frame.Env, _ types.SessionIndex, changed bool, validators, _ []session.Entry) {
	p.HeartbeatAfter.Put(e, e.Number()+p.SessionLength/2)
	if changed {
		p.setKeys(e, validators)
	}
}

func (p *Pallet) setKeys(e *frame.Env, validators []session.Entry) {
	keys := make([]session.ImOnlineID, min(len(validators), int(p.MaxKeys.Get())))
	for i := range keys {
		keys[i] = validators[i].Keys.ImOnline
	}
	p.Keys.Put(e, keys)
}

// OnBeforeSessionEnding reports the validators that were not seen, and forgets those that were.
func (p *Pallet) OnBeforeSessionEnding(e *frame.Env) {
	index, watched := p.Session.SessionIndex(e), len(p.Keys.Get(e))
	validators := p.Session.ActiveValidators(e)
	var silent []historical.Identity
	for i := range min(watched, len(validators)) {
		if !p.isOnline(e, index, validators, uint32(i)) {
			silent = append(silent, p.Historical.Identify(e, index, validators[i]))
		}
	}
	p.ReceivedHeartbeats.KillPrefix(e, index)
	p.AuthoredBlocks.KillPrefix(e, index)
	if len(silent) == 0 {
		p.Emit(e, AllGood{})
		return
	}
	p.Emit(e, SomeOffline{silent})
	// That they were reported before cannot be: a session ends once.
	_ = p.Offences.File(e, nil, &offences.Report{
		Kind: Kind, TimeSlot: offences.TimeSlot(scale.AppendU32(nil, uint32(index))), Session: index,
		Validators: uint32(watched), Offenders: silent, Fraction: Fraction,
	})
}

// OnDisabled does nothing: a disabled validator may still show that it is there.
func (p *Pallet) OnDisabled(*frame.Env, uint32) {}

// Fraction is what each of the silent validators loses.
func Fraction(silent, validators uint32) fixed.Perbill {
	few := validators/10 + 1
	if silent <= few {
		return 0
	}
	x := fixed.PerbillFromRational(fixed.FromUint64(3*uint64(silent-few)), fixed.FromUint64(uint64(validators)))
	return x.Times(fixed.PerbillFromParts(70_000_000))
}

// Silence is what ImOnlineApi_silent returns.
type Silence struct {
	SessionIndex   types.SessionIndex
	HeartbeatAfter types.BlockNumber // block after which heartbeats are due
	ValidatorsLen  uint32            // number of validators
	Silent         []Silent          // those that were not seen in the session yet
}

// Silent is a validator that was not seen: its position and key.
type Silent struct {
	AuthorityIndex uint32
	Key            session.ImOnlineID
}

// APIs lists the runtime API ImOnlineApi, which is not Substrate's: there the
// runtime's own worker looks into the state.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "ImOnlineApi", Version: 1, Doc: "Tells validators whether they should send a heartbeat.", Methods: []frame.Method{
		frame.Method0("silent", "Returns the validators that were not seen in the current session.", p.silent),
	}}}
}

func (p *Pallet) silent(e *frame.Env) (Silence, error) {
	keys, validators, index := p.Keys.Get(e), p.Session.ActiveValidators(e), p.Session.SessionIndex(e)
	s := Silence{SessionIndex: index, HeartbeatAfter: p.HeartbeatAfter.Get(e), ValidatorsLen: uint32(len(keys))}
	for i, key := range keys {
		if !p.isOnline(e, index, validators, uint32(i)) {
			s.Silent = append(s.Silent, Silent{uint32(i), key})
		}
	}
	return s, nil
}

// Check verifies that only the current session's signs of life are kept, and of no
// more validators than there are.
func (p *Pallet) Check(e *frame.Env) error {
	index, keys := p.Session.SessionIndex(e), len(p.Keys.Get(e))
	if limit := p.MaxKeys.Get(); keys > int(limit) {
		return fmt.Errorf("im-online: %d keys, at most %d are allowed", keys, limit)
	}
	for k := range p.ReceivedHeartbeats.All(e) {
		if k.A != index || int64(k.B) >= int64(keys) {
			return fmt.Errorf("im-online: in session %d with %d validators there is a heartbeat of %d in session %d", index, keys, k.B, k.A)
		}
	}
	for k := range p.AuthoredBlocks.All(e) {
		if k.A != index {
			return fmt.Errorf("im-online: in session %d there are blocks of session %d", index, k.A)
		}
	}
	return nil
}
