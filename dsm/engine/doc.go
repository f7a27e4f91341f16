// Package engine is a node of the IPFS network inside this program: it fetches
// graphs of blocks by Bitswap into a vault, and serves what a vault has.
//
//	e, err := engine.Open(engine.Config{Key: seed, Listen: []string{"/ip4/0.0.0.0/tcp/4001"}, Store: v})
//	group.Go("ipfs", e.Run)
//	size, err := e.Fetch(ctx, engine.Job{Root: root, Limit: ordered, Into: v, Origins: origins})
//	switch {
//	case errors.Is(err, engine.ErrNoSource): // ask again later
//	case errors.Is(err, engine.ErrTooLarge): // never
//	}
//
// # Fetching
//
// The root block has to come before anything is opened in the vault. From then on
// the vault says what is wanted, and the engine keeps as many wants in flight as
// fit a budget of memory: hundreds even for small blocks, whose speed is bounded
// by how much is asked for at once. What arrives goes into the vault in bulk. A
// fetch has a deadline and a watchdog: peers that promise and do not send, or send
// what nobody asked for, end it with an error that says which of them it was.
//
// Blocks are checked against their CIDs as they arrive and again by the vault; a
// block has at most 2 MiB, and codecs and hashes are those of package dag.
//
// # Serving
//
// Whoever is connected may ask for blocks; what is no block of the vault is
// answered with "don't have". [Blockstore] is the same view for a gateway. Both
// count against one limit of bandwidth. Messages with blocks share a few streams,
// which are kept for a moment.
//
// # Addresses
//
// Origins are written by strangers. With NoPrivate the engine dials no private or
// loopback address that somebody else names, so that nobody can make it knock on
// doors in its own network.
//
// # What it does not do
//
// It announces nothing and looks nothing up itself: who has a file is told by the
// chain and by the order, and given as origins, or by Job.Find, which package
// routing answers. There is no relaying, hole punching or port mapping.
//
// Specifications: Bitswap 1.2 (specs.ipfs.tech/bitswap-protocol), libp2p.
package engine
