// Package sync decides which blocks to ask of which peer, and what to import next.
//
// A [Machine] is told what peers have and send, what became of imports, and the
// time; [Machine.Ready] says what is to be done. It opens no connections, decodes
// nothing and writes no chain: a shell does, on one goroutine.
//
//	m := sync.New(chain, sync.Config{Check: check})
//	m.Connected(now, peer, sync.Target{Hash: status.BestHash, Number: status.BestNumber})
//	m.Announced(now, peer, &announce.Header, announce.Best)
//	for r := m.Ready(); …            // r.Requests, r.Import, r.Reports, r.Wake …
//	m.Responded(now, peer, id, blocks)
//	m.Imported(now, results)
//
// # How blocks come
//
// Everything that is to be imported hangs on a tree of headers that link down to
// the chain. Nothing is executed, and no body kept, of what does not link; so that
// a liar costs headers. Headers join the tree in three ways:
//
//   - Spans. Far behind, ranges of numbers are asked of several peers at once,
//     headers only. The ranges are joined by their hashes. If one does not link, its
//     peer is on another fork, or lies: the gap is filled first.
//   - Fills. A block of which only the hash is known, or a child of it, is followed
//     down from parent to parent until the tree, and not below the finalised number.
//     This also finds the common ancestor with a peer on another fork: a search by
//     number would save nothing, for each header above the ancestor is needed anyway.
//   - Announces of blocks on a known parent, at once.
//
// Bodies follow for the lowest headers first, by hash, from the top of a run
// downwards: that names one chain whatever fork it is on, where an ascending request
// would go on along the best chain of whoever answers. A separate request for
// headers costs a third of a round trip of 128 blocks, all of it ahead of time, so
// it does not slow a long sync down. Near the tip it would: a gap of at most 32
// blocks is asked for whole, headers and bodies together, and an announced block
// costs one round trip, for its body.
//
// The number of bodies in a request follows from their size of late, so that an
// answer holds about 2 MiB. Import pushes back through [Limits]: at most Importing
// blocks are with the importer, at most Bytes of bodies wait or are on their way
// (but for the one that all others wait for; and the transport's limit of an answer
// bounds what a peer may send beyond what was expected), at most Headers are in the tree.
//
// # Whom to blame
//
// A peer that does not deliver is asked less and less, and somebody else instead;
// that is reported only as far as it is sure, with a [Reason] whose cost tells
// misfortune from lies. Whoever lies is not asked again. A block that failed is
// remembered with its descendants; whoever sent it, or has one of those as part of
// its chain, is reported. Who only named the block is not: it is passed on by its
// header (ADR 0035). Of a chain that was built up by several peers, each answers
// for what it named and what is below, not for what another put on top. Blocks
// whose slot has not begun wait without blame, and failures of our own end nothing
// but the flow: import pauses.
//
// # Finality
//
// Justifications are asked for along with bodies and handed to the importer with
// their block; [Machine.WantJustification] asks for one that did not come so.
// Finality itself is the chain's: the machine reads it, and drops what contradicts it.
//
// # A faster start
//
// A start by warp proof would come before all of this: a phase that asks peers for
// proofs, then for the state at the proven block, and then makes the chain begin
// there. Machine would begin in that phase if the chain is empty, with requests of
// other kinds for a peer to choose by the same rules (pick, failed, report), and go
// on as it does now once [Chain] finalises the new block; blocks below would be
// fetched with spans that are joined from the top.
//
// Rules: facts substrate-compat §5.5 and §11; Polkadot specification "Synchronization".
package sync
