// Package hash holds the hash functions that Substrate's wire format names.
//
// BLAKE2b identifies blocks, extrinsics and trie nodes; xxHash ("twox") makes
// the fixed parts of storage keys, where speed matters and no attacker chooses
// the input; Keccak-256 and SHA-256 serve signatures of other worlds.
// The rules are those of the Polkadot specification, appendix "Cryptography".
//
//	key := hash.Twox128([]byte("System")) // first half of a storage prefix
//
// The package has no streaming API: everything hashed on a chain is short. Whoever has many
// messages at hand that do not depend on each other gives them to [Blake2b256All]: BLAKE2b is a chain of short steps,
// and eight chains side by side in the registers of AVX-512 take little longer than one. Where a processor lacks the
// instructions, golang.org/x/crypto does the work, with the same results.
package hash
