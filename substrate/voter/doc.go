// Package voter finalises blocks: it owns the machine of package grandpa, which
// votes in rounds with other authorities, and joins it to the chain, the database
// and the network.
//
//	core, err := voter.NewCore(manager, db, keys, now, grandpa.VoterConfig{})
//	v := voter.New(core, voter.Config{Now: clock})
//	err = v.Run(ctx, network)
//
// A node without a key of the set follows the votes of others and finalises with
// them; a set of one key decides alone. What was signed is durable before it is
// sent, so that a voter that crashes never signs two votes in one round.
//
// Core is all of it but time and sockets: one goroutine calls it, or a simulator
// does for many nodes. The rules of voting are package grandpa's.
package voter
