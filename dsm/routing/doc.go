// Package routing is a node's part in the directory of the IPFS network, its
// distributed hash table: it says there which files the node has, so that
// anybody who knows a CID finds it, and looks up who has a file that no order
// and no storage node is known to have.
//
//	d, err := routing.Open(routing.Config{Host: e.Host(), Dir: dir})
//	group.Go("directory", d.Run)
//	d.Announce(roots)                  // these, and no others
//	for source := range d.Find(ctx, root, 20) { … }
//
// # Which directory
//
// There are two: that of the public network (/ipfs/kad/1.0.0), which takes in
// nodes with public addresses only, and that of a local network
// (/ipfs/lan/kad/1.0.0), for those with private ones. A node is in one of them,
// as a client, which asks and announces, or as a server, which also keeps a part
// of the directory for others and has to be reachable by all of them. With [Auto] it
// is whichever fits: nodes of the network are asked to dial it (libp2p's AutoNAT).
//
// # What is announced
//
// Roots of files, not their blocks: whoever fetches a file asks the peer that has
// its root for the rest. A record lives for two days at the twenty nodes that are
// closest to its key, and is told anew once in 22 hours. Keys that are close to
// each other go to the same nodes together, region by region, so that the cost is
// that of the regions, not of the files. What is to be announced, and which regions
// had their turn when, is kept on disk: after a restart the regions that are due are
// told, and what is new; after a kill, or hours without the network, all.
//
// # Servers
//
// [Delegates] are servers that look for others, by the delegated routing HTTP API: a node
// without a part in the directory asks them, and one that has a part asks them first.
// [Sources] are both. They are not told what the node has: the API takes no announcements.
//
// # What it does not do
//
// The directory is public and anybody may write to it: what Find returns is a
// hint, and who fetches checks every block. It finds no addresses for peers that
// have no record, keeps no names (IPNS) of its own, and dials nobody back who asks
// whether it can be reached.
//
// Specifications: specs.ipfs.tech/routing/kad-dht and /routing/http-routing-v1, libp2p kad-dht.
package routing
