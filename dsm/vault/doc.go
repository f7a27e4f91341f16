// Package vault keeps graphs of blocks, each under its root: what an IPFS engine
// fills and serves from.
//
// A [Vault] takes a graph from the root downwards: a [Sealing] says which blocks
// are wanted, takes them in bulk, and nothing of it counts before Commit returns.
//
//	s, err := v.Begin(ctx, root, limit)
//	wanted := []dag.CID{root}
//	for len(wanted) > 0 {
//		more, err := s.Put(ctx, fetch(wanted)) // some or all of them, in any order
//		wanted = append(rest, more...)
//	}
//	size, err := s.Commit(ctx)
//
// The storage node has a vault whose blocks are sealed by the enclave. [DB] is the
// plain kind, for gateways and for people's own files: blocks lie readable in a
// database. It has a second door for those who have the blocks before they know
// the root, such as an upload or a CAR file: [DB.Import].
//
// # How blocks are shared
//
// A block is stored once, however many graphs have it. Every graph is a group of
// its own that lists its blocks, and every block lists its groups; a group that
// goes takes those blocks along that nobody else lists. A group's entries are
// written in the same batch as the blocks, so that kill -9 leaves no block that
// nobody lists; what was not committed is removed when the database is opened.
//
// # When something is durable
//
// A block is written once: there is no log. Commit and Delete return when all that was
// written before them is in tables on the disk, and after a crash the database is as it
// was after some write, never with a gap.
//
// # What it does not do
//
// It fetches nothing and knows nothing of files: see packages engine and importer.
package vault
