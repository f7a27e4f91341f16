// Package crypto joins the three signature schemes of a Substrate chain behind
// the types that extrinsics carry.
//
// An account does not say which scheme its owner uses; the signature does. A
// [MultiSignature] is a scheme and a signature, a [MultiSigner] a scheme and a
// public key, and a signer's account is the key itself, or for ECDSA its hash.
//
//	pair, err := crypto.ParseURI("//Alice", crypto.Sr25519)
//	sig := pair.Sign(payload, nil)
//	ok := sig.Verify(payload, pair.Account())
//
// Blocks are checked with [VerifyBatch], which gathers each scheme's signatures
// into batches and runs them on as many cores as the caller provides.
//
// [ParseURI] reads Substrate's notation of secrets: a phrase or a seed, a path of
// derivations, a password. Its errors say what to do and never repeat the secret.
//
// Subpackages: sr25519 (with the VRF), ed25519, ecdsa, and bip39. What this
// package does not do: keep keys (the keystore does), encrypt them, or produce
// randomness.
package crypto
