// Package ipfs is what of a storage node touches IPFS: it follows the market's orders, fetches
// the files that package picker says, has the worker seal them, and serves what is sealed.
//
//	storage.Run(ctx, storage.Config{…, Engine: func(ctx context.Context, w *worker.Worker, n *reporter.Node) error {
//		return ipfs.Run(ctx, cfg, w, n)
//	}})
//
// Orders are read from final blocks: from the events of each, and once, at the start or after
// a gap, from the whole market. A file is looked for at the addresses that the memo of its order
// names, at the endpoints of the nodes that hold it, and, if the node takes part in it, through
// the directory of the IPFS network, in which it announces what it has. The node publishes its
// own endpoint.
// What is sealed is reported by the worker, and let go when its order is gone.
//
// Files are served by Bitswap, and over HTTP by a trustless gateway, which also tells from the
// chain who else has a file (/routing/v1/providers).
package ipfs
