// Package reporter speaks for a validator where no block does: it sends the
// heartbeats of the node's im-online keys, and reports equivocations that the
// node has seen.
//
//	r := reporter.New(manager, pool, keys, reporter.Config{Now: clock, Memory: db})
//	err := r.Run(ctx)
//	...
//	r.ReportBABE(proof) // from any goroutine, never blocks
//
// A Core is the same without a goroutine.
//
// A key that has made no block in a session sends one heartbeat, at a block that
// the key and the session decide: rarely soon after the first tenth of the
// session, ever more likely towards its end, and certainly after four fifths of
// it or in its last four slots, so that not all nodes send at once and a block of
// the session is left to take it. A heartbeat that is in no block after
// resendBlocks is sent again. What was sent is remembered on disk. A node that is
// far behind the clock is silent: its sessions are over.
//
// A report goes into this node's pool, unsigned, with a proof of whose the key
// was; only a block of this node can hold it. It is tried again until the chain
// knows of the offence, since the block that held it may be retracted.
//
// What is true, and what is new, the runtime decides; see pallets/imonline,
// pallets/offences. The rule of when to send is FRAME's pallet_im_online, with a
// hash instead of a random number.
package reporter
