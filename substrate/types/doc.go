// Package types holds the values that every part of a Substrate chain speaks
// of: hashes and accounts, headers and their digests, blocks, extrinsics on the
// wire, eras, weights, versions and justifications, each with its SCALE codec.
//
// Distinct integers have distinct types ([BlockNumber], [Slot], [SetID] …), so
// that the compiler refuses to mix them. Layouts follow the Polkadot
// specification; polkadot.js, gsrpc and smoldot decode the same bytes.
//
//	h := types.Header{ParentHash: parent, Number: 7}
//	id := h.Hash() // BLAKE2b-256 of the encoding
//
// The package knows nothing of state, signatures or consensus rules.
package types
