// Package ed25519 is Ed25519 with the verification rules of ZIP 215, which
// Substrate chains use: single checks, batches, keys prepared for many checks,
// and hard key derivation. GRANDPA votes and session keys sign with it.
//
// Ed25519 as first written leaves open whether odd encodings and points of small
// order are valid, and implementations disagree; the standard library refuses
// signatures that Substrate accepts. For a blockchain such a disagreement is a
// fork. ZIP 215 settles it: encodings of points need not be canonical, s must be
// below the group order, and the equation is multiplied by the cofactor,
//
//	8·s·B = 8·R + 8·k·A,
//
// which is also the one rule under which a batch always agrees with single checks.
//
//	pair := ed25519.FromSeed(seed)
//	sig := pair.Sign(msg)
//	ok := ed25519.Verify(pair.Public(), msg, sig)
//
// Signing is RFC 8032's, deterministic. Batch coefficients are hashed from the
// batch, as package sr25519 explains.
//
// What it does not do: soft derivation (Ed25519 has none), prehashed or
// contextual variants.
package ed25519
