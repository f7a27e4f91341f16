// Package dag reads content-addressed graphs of blocks: which links a block has,
// and whether all of a graph has been seen.
//
// A [CID] names a block by a hash of its bytes and says how to read them. A [Walk]
// starts from one, asks for blocks, checks each against its CID, follows its links
// and ends when there is nothing left to ask for:
//
//	w, err := dag.NewWalk(root, limit)
//	for !w.Done() {
//		links, err := w.Accept(cid, block) // a block that the walk wants
//	}
//	m := w.Size() // Σ lengths of the distinct blocks: a function of the root alone
//
// A file may be ordered under any text of its CID that IPFS accepts; the chain knows it under
// one:
//
//	c, err := dag.Parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi")
//	c.String() // "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
//
// What is not raw, dag-pb or strict dag-cbor under sha2-256, sha2-512 or
// blake2b-256 is refused wherever it stands. The rules are fixed for ever, because
// two programs that measure one CID differently would disagree about what was
// ordered: docs/protocol/mpow.md §10.
//
// Blocks and CIDs come from strangers: nothing here trusts a length, nests deeper
// than a constant, or keeps more than one entry for a distinct CID.
package dag
