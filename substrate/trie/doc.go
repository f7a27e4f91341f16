// Package trie is Substrate's state trie: a radix-16 Merkle tree over byte keys
// whose root commits to every key and value (Polkadot specification, "State
// storage and the storage trie"; node format and state versions V0 and V1).
//
// Roots of things that are not kept need no tree:
//
//	root := trie.Root(trie.V1, entries)            // a genesis state
//	root := trie.OrderedRoot(trie.V0, extrinsics)  // a header's extrinsics root
//
// A chain's state is a [Trie], an immutable value. [Trie.Update] applies the
// sorted changes of one block and returns the next one; both stay usable and
// share every node that did not change, so each unfinalised block has its own.
//
//	next, err := t.Update(loader, changes, par, tick)
//	next.Hash() // the block's state root
//
// An update makes its nodes with holes where hashes of their children go, and hashes level by level, many nodes at once
// (later.go).
//
// The trie is an index derived from a flat key-value store, which it reads
// through a [Loader]; it never holds values or leaves. Branches with more than
// [SmallLeaves] leaves below them ("big") are stored by path as the records that
// [Trie.Flush] emits. A smaller subtree is not stored anywhere: when it is
// needed, it is rebuilt from its few neighbouring keys in the flat store. That
// keeps the index to a few per cent of the state and makes a block's writes
// independent of the tree's depth. Whatever is loaded or rebuilt is checked
// against the hash its parent holds, so damage is reported, never hashed over.
//
// [Trie.Prove], [NewProof] and [VerifyProof] make and check read proofs for
// present and absent keys; [Proof.ClosestDescendant] gives the Merkle value that
// light clients compare subtrees by.
//
// The package is pure, with one allowed exception: child pointers, use marks and
// clean marks are sync/atomic values, because a loaded node is a cache entry
// that concurrent readers of the same immutable trie may fill at the same time
// (with equal nodes). Parallelism comes in as a [Par] argument.
//
// Not here: child tries (the chain has none), the compact proof encoding of the
// state-sync protocol, and disk access.
package trie
