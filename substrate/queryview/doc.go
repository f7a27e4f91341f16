// Package queryview generates the WebAssembly that a chain with a native runtime
// keeps under :code, so that light clients can read and decode it.
//
// What it is. A light client such as smoldot asks a runtime for its version, its
// metadata, an account's nonce, the epochs of BABE and the authorities of GRANDPA
// by running the code under :code over storage values whose proofs it checks. A
// [View] is such code: each function is a constant, or is put together from
// storage values and constants, as the runtime's pallets would.
//
// What it is not. It is no state transition function: it executes no blocks, and a
// node that tries to sync with it, such as polkadot-sdk's, cannot. Data in its
// answers is as good as the state root it was proven against; constants in them
// (version, metadata, weights) are as good as :code, which is part of that state.
// Two functions only estimate, and say so by [View.IsEstimate]: the validity of a
// transaction, which is decided by the nodes that get it, and the fee, which is
// taken as linear in the length.
//
// Functions are described, not programmed:
//
//	view, err := queryview.New(version,
//		queryview.Const("Core_version", scale.Encode(version)),
//		queryview.Concat("AccountNonceApi_account_nonce",
//			queryview.Value(queryview.MapKey(accounts, 0, 32)).Slice(0, 4).Or(make([]byte, 4)),
//		).Args(32),
//	)
//	code := view.Code()                     // goes under :code
//	keys, err := view.Keys("AccountNonceApi_account_nonce", args) // go into a call proof
//
// The description yields the code and, for whoever has to prove a call, the keys
// that it reads, in the same order: every function reads all its keys before it
// does anything else. [Standard] lists the functions of a chain with BABE and
// GRANDPA in polkadot-sdk's storage layout.
//
// A value that is absent is replaced by its default, if it has one. Whatever does
// not fit — no default, a length that is not the expected one, arguments of the
// wrong size — ends the call with a trap, never with a made-up answer.
//
// The module uses WebAssembly 1.0 only, exports memory and __heap_base, and
// imports three functions of the host: ext_storage_get_version_1,
// ext_hashing_blake2_128_version_1 and ext_allocator_malloc_version_1. Package
// queryviewtest runs it and compares it with native answers.
package queryview
