// Package cid reads the content identifiers of files that the network stores,
// and writes them in their one canonical text.
//
//	c, err := cid.Parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi")
//	c.String() // "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
//
// A file may be ordered under any text that IPFS accepts; the chain knows it
// under one: base58btc version 0 if it is dag-pb with sha2-256, else lower-case
// base32 version 1. Only what the enclave can walk is accepted: codecs raw,
// dag-pb and dag-cbor, hashes sha2-256, sha2-512 and blake2b-256 at full length
// (design: MPoW protocol, "Sealing a file"). An identity CID is never a root.
//
// Specifications: multiformats/cid, multiformats/multibase, multiformats/multihash.
// The package hashes nothing and knows nothing of blocks.
package cid
