// Package historical remembers who the validators of past sessions were, so
// that an offence can be proved after its session is over.
//
// Of every session it keeps a Merkle root, recorded when the session is queued,
// which is when its keys are fixed. The tree is a trie that maps each session
// key with its kind to a position, and each position to the validator with its
// full identification: what an offences handler needs of it, such as its stake.
// A MembershipProof is the nodes on those two paths.
//
//	proof, err := h.Prove(e, session.OwnedKey{Type: session.KeyBabe, Key: key}, index)
//	who, err := h.Verify(e, session.OwnedKey{Type: session.KeyBabe, Key: key}, &proof)
//
// NewTree, Tree.Prove and Open are the pure parts of that, without a chain.
//
// Proofs are made from the keys as they were: SessionMembers keeps them for the
// previous, the current and the next session, so that a validator that changes
// its keys after an offence does not escape. Every proof, also one of the
// current session, is checked against the recorded root.
//
// Rules: FRAME's pallet_session::historical, with its trie; facts gpos-runtime
// §1.13. The original chain recorded no roots, and FRAME keeps the root of a set
// that was elected again even if keys changed: this pallet does neither. Its
// items share the storage prefix Session with package session.
package historical
