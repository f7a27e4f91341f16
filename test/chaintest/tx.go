package chaintest

import (
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/sudo"
	"github.com/crustgo/crust/substrate/types"
)

// Call makes a call of the runtime.
func (k *Node) Call(pallet, name string, args any) frame.RuntimeCall {
	k.t.Helper()
	call, err := k.Runtime().NewRuntimeCall(pallet, name, args)
	if err != nil {
		k.t.Fatal(err)
	}
	return call
}

// TransferCall is a transfer of plancks.
func (k *Node) TransferCall(to string, plancks uint64) frame.RuntimeCall {
	k.t.Helper()
	return k.Call("Balances", "transfer_allow_death", &balances.TransferArgs{Dest: types.Address(Account(to)), Value: fixed.FromUint64(plancks)})
}

// SudoCall wraps a call.
func (k *Node) SudoCall(c frame.RuntimeCall) frame.RuntimeCall {
	k.t.Helper()
	return k.Call("Sudo", "sudo", &sudo.SudoArgs{Call: c})
}

// Sign makes a transaction; t needs its call, and may have a nonce, a tip and an
// era, which must have begun at the best block or two or more below it.
func (k *Node) Sign(uri string, t frame.Tx) types.Extrinsic {
	k.t.Helper()
	at := chain.Ref{Hash: k.Genesis()} // all that a signature for ever needs to know
	view := k.Net.state
	var err error
	if !t.Era.IsImmortal() {
		at = k.Heads().Best
		if view, err = k.ViewAt(at.Hash); err != nil {
			k.t.Fatal(err)
		}
	}
	rt, pair := k.Runtime(), Pair(uri, crypto.Sr25519)
	e := k.Net.Runtime.SigningEnv(view, at.Number, at.Hash)
	raw, err := rt.Sign(e, t, pair.Account(), func(p []byte) (crypto.MultiSignature, error) { return pair.Sign(p, nil), nil })
	if err != nil {
		k.t.Fatal(err)
	}
	return raw
}

// Transfer is a signed transfer of plancks that is valid for ever.
func (k *Node) Transfer(from string, nonce types.Nonce, to string, plancks uint64) types.Extrinsic {
	k.t.Helper()
	return k.Sign(from, frame.Tx{Nonce: nonce, Call: k.TransferCall(to, plancks)})
}

// Nonce is the account's nonce after the best block.
func (k *Node) Nonce(uri string) types.Nonce {
	k.t.Helper()
	best := k.Heads().Best.Hash
	view, err := k.ViewAt(best)
	if err != nil {
		k.t.Fatal(err)
	}
	n, err := k.Runtime().NewValidator(view, best).Nonce(Account(uri))
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// Free is an account's free balance after a block, in plancks.
func (k *Node) Free(h types.Hash, uri string) fixed.U128 {
	k.t.Helper()
	view, err := k.ViewAt(h)
	if err != nil {
		k.t.Fatal(err)
	}
	return runtime.PalletsOf(k.Net.Runtime).System.Account.Get(k.Runtime().NewEnv(view), Account(uri)).Data.Free
}
