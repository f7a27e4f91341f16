// Package hash holds the hash functions that Substrate's wire format names.
//
// BLAKE2b identifies blocks, extrinsics and trie nodes; xxHash ("twox") makes
// the fixed parts of storage keys, where speed matters and no attacker chooses
// the input; Keccak-256 and SHA-256 serve signatures of other worlds.
// The rules are those of the Polkadot specification, appendix "Cryptography".
//
//	key := hash.Twox128([]byte("System")) // first half of a storage prefix
//
// The package has no streaming API: everything hashed on a chain is short.
package hash
