package example

import (
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Sign makes a transaction of a call, signed by the key of a secret URI and valid
// for ever. All it has to know of the chain are the runtime and the hash of block
// 0, which is why a wallet can sign without being connected. args points to the
// call's arguments.
func Sign(rt *Runtime, genesis types.Hash, uri string, nonce types.Nonce, pallet, name string, args any) (types.Extrinsic, error) {
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return nil, err
	}
	call, err := rt.NewRuntimeCall(pallet, name, args)
	if err != nil {
		return nil, err
	}
	e := rt.NewEnv(state.NewMem(nil))
	rt.System.BlockHash.Put(e, 0, genesis)
	return rt.Sign(e, frame.Tx{Nonce: nonce, Call: call}, pair.Account(), func(payload []byte) (crypto.MultiSignature, error) {
		return pair.Sign(payload, nil), nil
	})
}
