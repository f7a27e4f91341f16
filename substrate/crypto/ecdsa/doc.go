// Package ecdsa is recoverable ECDSA over secp256k1 as Substrate uses it: 65-byte
// signatures r ‖ s ‖ v of the blake2b-256 hash of a message.
//
// Public keys do not travel with signatures. Verification recovers the key from
// the signature and compares it, or its hash: an ECDSA account is the
// blake2b-256 hash of the compressed public key.
//
//	pair, err := ecdsa.FromSeed(seed)
//	sig := pair.Sign(msg)
//	pub, ok := ecdsa.Recover(msg, sig)
//
// Signing follows RFC 6979, deterministic, with the lower of the two possible s.
// Verification accepts both, and v written as 0 to 3 or as 27 to 30, because
// Substrate does; so whoever sees a signature can make a second valid one, and
// nothing may identify a transaction by its signature.
//
// RecoverEthereum reads the signatures of Ethereum wallets, for those who show by
// one who they are; the chain itself takes none.
//
// What it does not do: signing as Ethereum wallets do, soft
// derivation (Substrate has none for secp256k1), batches (there are none).
package ecdsa
