// Package reporter brings a storage worker and its chain together: it follows the
// chain's best and final blocks through a node, registers the worker, and says what has to be
// said, when package slots says that it is time.
//
//	n, err := reporter.Dial(ctx, "ws://127.0.0.1:9944", pair)
//	params, err := n.Params()              // what the network's worker.Config needs
//	r := reporter.New(w, n, reporter.Config{…})
//	err = r.Run(ctx)
//
// It trusts the node with nothing but the worker's time: what is final the enclave
// verifies itself, by warp and read proofs, and what it signs names everything that it depends
// on. A node that is not there, or lags, is asked again; missing a slot costs free space its
// weight for a while, never bytes.
//
// Node is the chain as a client of its RPC sees it. Reporter needs of it no more than
// the interface Chain.
package reporter
