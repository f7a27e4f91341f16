package rpc

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// Error codes of Substrate's namespaces.
const (
	codeAuthorFormat      = 1001 // the extrinsic's bytes make no sense
	codeAuthorKeys        = 1002 // keys could not be made, kept or found
	codeAuthorKeyType     = 1017
	codeSystemPeer        = 2002 // a peer's address makes no sense
	codeChainNumber       = 3001
	codeStateRange        = 4001 // the blocks are no range
	codeStateCount        = 4002 // more was asked for than one answer holds
	codeStateClient       = 4003 // the block or its state is not there, or a runtime call failed
	codeOffchainKind      = 5001
	codeGrandpaNotReady   = 1
	codeGrandpaProof      = 4
	codeRuntime           = 1 // payment and account queries: the runtime failed
	codeDecode            = 2 // payment and account queries: the extrinsic is none
	codeBABE              = 9001
	codeFollowLimit       = -32800
	codeInvalidBlock      = -32801 // not reported by the subscription, or unpinned
	codeNoRuntimeFollowed = -32802
	codeInvalidContinue   = -32803
	codeDuplicateHashes   = -32804
)

func fail(code int, format string, args ...any) *jsonrpc.Error {
	return &jsonrpc.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalidParams(format string, args ...any) *jsonrpc.Error {
	return &jsonrpc.Error{Code: wire.CodeInvalidParams, Message: "Invalid params", Data: fmt.Sprintf(format, args...)}
}

// clientError words a failure to read the chain as Substrate's nodes do.
func clientError(h types.Hash, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, state.ErrUnknownBlock):
		return fail(codeStateClient, "Client error: UnknownBlock: Header was not found in the database: %v", h)
	case errors.Is(err, state.ErrPruned):
		return fail(codeStateClient, "Client error: UnknownBlock: State already discarded for %v", h)
	}
	return err
}

// notThere reports whether err says that a block or its state is not kept.
func notThere(err error) bool {
	return errors.Is(err, state.ErrUnknownBlock) || errors.Is(err, state.ErrPruned)
}

// poolError words a refusal of the pool.
func poolError(err error) error {
	var e *txpool.Error
	if !errors.As(err, &e) {
		return err
	}
	out := &jsonrpc.Error{Code: e.Code, Message: e.Message}
	if e.Data != "" {
		out.Data = e.Data
	}
	return out
}
