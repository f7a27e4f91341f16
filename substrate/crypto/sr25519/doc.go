// Package sr25519 is Schnorr signatures over Ristretto255 as Substrate uses
// them: signatures in the context "substrate", batches of them, key derivation,
// and the verifiable random function that BABE draws its slots with.
//
// A signature proves knowledge of the discrete logarithm of the public key; its
// challenge comes from a Merlin transcript (a running hash that names every
// message), so the same key can sign and run the VRF without interference. The
// curve, the scalars and Merlin are curve25519-voi's; the protocol on top is
// this package's.
//
//	pair := sr25519.FromSeed(seed)
//	sig := pair.Sign(msg, nil)
//	ok := sr25519.Verify(pair.Public(), msg, sig)
//
// A block has thousands of signatures. [Batch] checks them with one equation
// for less than half the cost of one by one, and [VerifyAll] splits any number of them
// into batches of the best size and runs those wherever its caller says.
//
// Nothing here reads randomness. Signing nonces are hashed from the secret key,
// the message and 32 optional bytes of the caller's; without those bytes signing
// is deterministic, which is safe, and reproducible, which tests want. Batch
// coefficients are hashed from the whole batch; see [Batch] for why that is sound.
//
// Rules: schnorrkel 0.11, Polkadot specification "BABE", facts
// substrate-compat §4.1. What it does not do: multi-signatures (MuSig),
// certificates, signing contexts other than Substrate's, secret-key encryption.
package sr25519
