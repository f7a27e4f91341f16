// Package oracle holds the verifier of attestation against evidence that Intel
// signed, and against two verifiers of other people.
//
// The evidence, quotes of SGX and TDX with their collateral and revocation lists,
// is test data of the Go modules github.com/oasisprotocol/oasis-core/go and
// github.com/google/go-tdx-guest, both under Apache-2.0: go mod download fetches
// them, at the versions in go.mod, and nothing of them is copied here. Their
// verifiers judge the same bytes as ours, genuine, damaged, and made by the
// development authority. That needs a module of its own, so that the product's
// go.mod names neither. Run it with: go test ./... in this directory.
package oracle
