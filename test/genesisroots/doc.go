// Package genesisroots checks the trie against the state roots of two real
// chains, Polkadot's and Kusama's genesis states.
//
// The chain specifications come with the Go module github.com/ChainSafe/gossamer,
// which go mod download fetches into the module cache; nothing of it is copied
// here, linked or imported. That needs a module of its own, so that the product's
// go.mod does not name it. Run it with: go test ./... in this directory.
package genesisroots
