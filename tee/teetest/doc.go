// Package teetest is what every kind of attestation and every enclave is held to,
// whatever hardware is behind it.
//
// [Verifier] takes a verifier's checks and, for each, ways to make evidence fail
// it: every check must have one, each must be found by its own error, and of two
// defects the one that an earlier check finds is reported. [Enclave] takes an
// enclave and a verifier that should believe it.
//
// A new kind brings its mutations; a new backend, hardware or not, passes Enclave.
package teetest
