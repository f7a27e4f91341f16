// Package attest is the pallet that knows which enclaves are genuine. The runtime
// has it as Attest, with index 42.
//
// It verifies attestation on the chain itself, with package tee/dcap and the time
// of the block; nobody vouches for anything. Three things come together:
//
//   - Roots of trust: keys in genesis, which no call can change. A real network has
//     Intel's, a development network that of its own authority.
//   - Collateral: what the vendor publishes about revoked certificates and versions
//     of platforms. Anybody may submit what the vendor signed. It only moves forward,
//     never further than an evaluation number that Root sets, and is free where it
//     was needed.
//   - Enclave keys: what verified evidence bound to a platform, at most eight to each.
//
// Another pallet registers:
//
//	ev, err := attest.Verify(e, quote)    // genuine, on a platform good enough
//	…                                     // ev.Code is allowed; ev.ReportData binds account and key, and is fresh
//	err = attest.Admit(e, key, ev)        // the key now counts
//	s := attest.Standing(e, key)          // s.State is Live, s.Cap is what its platform may count
//
// Standing is worked out when it is read, from what the evidence said of the
// platform and from collateral: nothing has to be walked when a revocation or a new
// table arrives, and nobody has to prove anything again for it. A new table applies
// to new evidence at once and to keys that are here after Delay; a revocation
// applies at once. Collateral that nobody renews stops new keys after NewGrace and
// suspends the others after OldGrace. A suspended key is only frozen.
//
// Renew replaces a key's evidence, and is needed again within Period. VerifyFor judges
// fresh evidence by what applies to the key, not by what applies to new keys; what its
// report data has to bind is again for the caller to check.
//
// Rules: design/mpow.md, Registration; facts/tee.md §1.4 to §1.6. The identity of a
// platform is the BLAKE2b of the id in its certificate, that of an enclave its
// platform and key: never the hash of a quote, which has several forms.
//
// What it cannot see: keys of attestation that were extracted from hardware. What
// bounds those is Cap for each platform, and the eight keys.
package attest
