// Package prooftest is a chain for tests of workers and enclaves: it keeps one
// worker's record by the rules of docs/protocol/mpow.md §6 and §12, makes beacons, and
// finalises what it has with real votes over a real state trie.
//
// It is no substitute for the pallet: it has one worker, no groups, fees, files'
// orders or audits.
package prooftest
