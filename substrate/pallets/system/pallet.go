package system

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the system pallet.
type Pallet struct {
	frame.Base

	BlockWeights   frame.Const[frame.BlockWeights]   // limits of execution in a block
	BlockLength    frame.Const[frame.BlockLength]    // limits of a block's bytes
	BlockHashCount frame.Const[types.BlockNumber]    // how many block hashes are kept
	DbWeight       frame.Const[DbWeight]             // cost of a read and a write
	Version        frame.Const[types.RuntimeVersion] // version of the runtime
	SS58Prefix     frame.Const[uint16]               // prefix of addresses on this chain

	Account            frame.Map[types.AccountID, AccountInfo]  `frame:"blake2_128_concat"` // nonce, references and balance of each account
	BlockWeight        frame.Value[frame.BlockWeight]           // what the current block has used
	BlockHash          frame.Map[types.BlockNumber, types.Hash] `frame:"twox_64_concat"` // hashes of recent blocks, and of genesis
	Number             frame.Value[types.BlockNumber]           // number of the current block
	ParentHash         frame.Value[types.Hash]                  // hash of the current block's parent
	Digest             frame.Value[types.Digest]                // digest of the current block
	Events             frame.Value[frame.EventList]             // events of the current block
	EventCount         frame.Value[uint32]                      // number of events of the current block
	LastRuntimeUpgrade frame.Value[LastRuntimeUpgrade]          `frame:"optional"` // version that executed the latest block

	// Code makes the value of :code for this version of the runtime; nil if the
	// chain has none.
	Code func() []byte `frame:"-"`
	// Upgrade migrates the state of all pallets from an older version.
	Upgrade func(e *frame.Env, fromSpec uint32) types.Weight `frame:"-"`
}

// DbWeight is what a read and a write of storage cost, in picoseconds.
type DbWeight struct{ Read, Write uint64 }

// SCALEPath names the type for clients.
func (DbWeight) SCALEPath() string { return "sp_weights::RuntimeDbWeight" }

// LastRuntimeUpgrade is the version that executed the latest block.
type LastRuntimeUpgrade struct {
	SpecVersion uint32 `scale:"compact"`
	SpecName    string
}

// SCALEPath names the type for clients.
func (LastRuntimeUpgrade) SCALEPath() string { return "frame_system::LastRuntimeUpgradeInfo" }

// AccountInfo is everything that the chain keeps of every account.
type AccountInfo struct {
	Nonce       types.Nonce // of the next extrinsic
	Consumers   uint32      // what forbids the account to be removed
	Providers   uint32      // what keeps the account alive
	Sufficients uint32      // what keeps the account alive without a balance
	Data        AccountData
}

// SCALEPath names the type for clients.
func (AccountInfo) SCALEPath() string { return "frame_system::AccountInfo" }

// AccountData is an account's balance, which package balances rules.
type AccountData struct {
	Free     frame.Balance // spendable, apart from what is frozen
	Reserved frame.Balance // set aside for a pallet
	Frozen   frame.Balance // free balance must not fall below this
	Flags    frame.Balance // bit 127: the account follows the current rules
}

// SCALEPath names the type for clients.
func (AccountData) SCALEPath() string { return "pallet_balances::types::AccountData" }

// Live reports whether anything keeps the account alive.
func (a *AccountInfo) Live() bool { return a.Providers > 0 || a.Sufficients > 0 }

// Events.
type (
	// ExtrinsicSuccess says that an extrinsic was applied and its call succeeded.
	ExtrinsicSuccess struct{ DispatchInfo frame.DispatchInfo }
	// ExtrinsicFailed says that an extrinsic was applied and its call failed.
	ExtrinsicFailed struct {
		DispatchError frame.DispatchError
		DispatchInfo  frame.DispatchInfo
	}
	// CodeUpdated says that the runtime's version changed.
	CodeUpdated struct{}
	// NewAccount says that an account came to exist.
	NewAccount struct{ Account types.AccountID }
	// KilledAccount says that an account ceased to exist.
	KilledAccount struct{ Account types.AccountID }
	// Remarked says that a remark was made on chain.
	Remarked struct {
		Sender types.AccountID
		Hash   types.Hash
	}
)

// Errors.
var (
	// ErrInvalidSpecName says that a code's name is not this chain's.
	ErrInvalidSpecName = frame.NewError("InvalidSpecName")
	// ErrUndecodable says that a raw value does not decode as its item's type.
	ErrUndecodable = frame.NewError("Undecodable")
)

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			1: frame.NewCall("remark", p.remark, weights.remark.At(0)).Info(func(a *RemarkArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.remark.At(len(a.Remark))}
			}),
			6: frame.NewCall("set_storage", p.setStorage, types.Weight{}).Info(func(a *SetStorageArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.setStorage.At(len(a.Items)), Class: frame.Operational}
			}),
			7: frame.NewCall("kill_storage", p.killStorage, types.Weight{}).Info(func(a *KillStorageArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.setStorage.At(len(a.Keys)), Class: frame.Operational}
			}),
			8: frame.NewCall("kill_prefix", p.killPrefix, types.Weight{}).Info(func(a *KillPrefixArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.setStorage.At(int(min(a.Subkeys, maxSubkeys))), Class: frame.Operational}
			}),
			9: frame.NewCall("remark_with_event", p.remarkWithEvent, types.Weight{}).Info(func(a *RemarkArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.remarkWithEvent.At(len(a.Remark))}
			}),
		},
		Events: []any{ExtrinsicSuccess{}, ExtrinsicFailed{}, CodeUpdated{}, NewAccount{}, KilledAccount{}, Remarked{}},
		Errors: []*frame.Error{ErrInvalidSpecName, ErrUndecodable},
	}
}

// Arguments of the calls, in wire order.
type (
	// RemarkArgs are the arguments of remark and remark_with_event.
	RemarkArgs struct{ Remark []byte }
	// KeyValue is a raw key and its value.
	KeyValue = scale.Pair[[]byte, []byte]
	// SetStorageArgs are the arguments of set_storage.
	SetStorageArgs struct{ Items []KeyValue }
	// KillStorageArgs are the arguments of kill_storage.
	KillStorageArgs struct{ Keys [][]byte }
	// KillPrefixArgs are the arguments of kill_prefix: at most Subkeys keys are removed.
	KillPrefixArgs struct {
		Prefix  []byte
		Subkeys uint32
	}
)

// maxSubkeys bounds one kill_prefix.
const maxSubkeys = 10_000

// remark puts bytes into a block and does nothing else.
func (p *Pallet) remark(_ *frame.Env, o frame.Origin, _ RemarkArgs) error {
	if o.IsRoot() {
		return nil
	}
	_, err := o.Signed()
	return err
}

// remarkWithEvent puts bytes into a block and emits their hash.
func (p *Pallet) remarkWithEvent(e *frame.Env, o frame.Origin, a RemarkArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	p.Emit(e, Remarked{who, frame.Blake2b256(a.Remark)})
	return nil
}

// setStorage writes raw keys; values of a pallet must be what the pallet can decode.
func (p *Pallet) setStorage(e *frame.Env, o frame.Origin, a SetStorageArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	for _, kv := range a.Items {
		if e.RawPut(kv.A, kv.B) != nil {
			return p.Fail(ErrUndecodable)
		}
	}
	return nil
}

// killStorage removes raw keys.
func (p *Pallet) killStorage(e *frame.Env, o frame.Origin, a KillStorageArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	for _, k := range a.Keys {
		if e.RawDelete(k) != nil {
			return p.Fail(ErrUndecodable)
		}
	}
	return nil
}

// killPrefix removes the first keys that start with a prefix.
func (p *Pallet) killPrefix(e *frame.Env, o frame.Origin, a KillPrefixArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	for _, k := range e.RawKeys(a.Prefix, int(min(a.Subkeys, maxSubkeys))) {
		if e.RawDelete(k) != nil {
			return p.Fail(ErrUndecodable)
		}
	}
	return nil
}

// Height is the number of the block whose state the view holds.
func (p *Pallet) Height(e *frame.Env) types.BlockNumber { return p.Number.Get(e) }

// Initialize begins a block: it files the parent's hash, forgets the oldest,
// and runs the migrations of a new version.
func (p *Pallet) Initialize(e *frame.Env, h *types.Header) {
	p.Number.Put(e, h.Number)
	p.ParentHash.Put(e, h.ParentHash)
	p.BlockHash.Insert(e, h.Number-1, h.ParentHash)
	if keep := p.BlockHashCount.Get(); h.Number > keep+1 {
		p.BlockHash.Kill(e, h.Number-keep-1) // never that of genesis, which every signature refers to
	}
	version := p.Version.Get()
	last, known := p.LastRuntimeUpgrade.Lookup(e)
	if known && last.SpecVersion == version.SpecVersion && last.SpecName == version.SpecName {
		return
	}
	p.LastRuntimeUpgrade.Put(e, LastRuntimeUpgrade{version.SpecVersion, version.SpecName})
	if known {
		p.upgrade(e, last.SpecVersion)
	}
}

// upgrade moves the state to this runtime's version and tells clients.
func (p *Pallet) upgrade(e *frame.Env, from uint32) {
	if p.Upgrade != nil {
		e.ChargeHook(p.Upgrade(e, from))
	}
	if p.Code != nil {
		if err := e.RawPut([]byte(":code"), p.Code()); err != nil {
			panic(fmt.Sprintf("system: %v", err)) // :code belongs to no pallet
		}
	}
	e.Deposit(types.DigestItem{Kind: types.DigestRuntimeEnvironmentUpdated})
	p.Emit(e, CodeUpdated{})
}

// NoteApplied emits the outcome of the extrinsic that was applied.
func (p *Pallet) NoteApplied(e *frame.Env, info frame.DispatchInfo, err error) {
	if err == nil {
		p.Emit(e, ExtrinsicSuccess{info})
		return
	}
	p.Emit(e, ExtrinsicFailed{*frame.DispatchErrorOf(err), info})
}

// Finalize makes events, digest and weight of the block state.
func (p *Pallet) Finalize(e *frame.Env) {
	p.Digest.Put(e, e.Digest())
	p.BlockWeight.Put(e, e.UsedWeight())
	encoded, n := e.Events()
	p.Events.Put(e, frame.NewEventList(encoded))
	p.EventCount.Put(e, n)
}

// Genesis is the pallet's genesis configuration; it has no fields.
type Genesis struct{}

// NewGenesis returns the default configuration.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis files the version and :code.
func (p *Pallet) BuildGenesis(e *frame.Env, _ any) error {
	v := p.Version.Get()
	p.LastRuntimeUpgrade.Put(e, LastRuntimeUpgrade{v.SpecVersion, v.SpecName})
	if p.Code != nil {
		return e.RawPut([]byte(":code"), p.Code())
	}
	return nil
}

// Check verifies that every account has a reason to exist.
func (p *Pallet) Check(e *frame.Env) error {
	for who, a := range p.Account.All(e) {
		if !a.Live() && a.Consumers > 0 {
			return fmt.Errorf("account %v has %d consumers and no provider", who, a.Consumers)
		}
		if total, ok := a.Data.Free.Add(a.Data.Reserved); !ok || a.Providers == 0 && total.Cmp(fixed.U128{}) > 0 {
			return fmt.Errorf("account %v holds %v and has no provider", who, total)
		}
	}
	return nil
}
