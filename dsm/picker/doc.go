// Package picker decides which orders a storage node takes, when it tries again, and
// what it lets go. It is a machine without clock, network or chance: it is told of
// orders, groups and what became of fetches, and says what to do at a block.
//
//	m := picker.New(picker.Config{Owner: owner, Member: member})
//	m.Groups(groups)                    // of the newest recount
//	m.Order(order)                      // placed, or changed
//	for _, a := range m.Next(block, free) {
//		…                               // fetch it, or delete it
//	}
//	m.Ended(cid, picker.Fetched, block) // what became of a fetch
//
// Nobody assigns orders. Every group ranks all groups for an order by rendezvous
// hashing: from the hash of the block after the order, which nobody could choose, and
// each group's counted free space as its weight (design/dsm.md, Picker). The first Target
// groups take the order at once. Each further Target of them wait for Patience blocks more, and
// take it only if the order still has fewer than Target replicas: so a file that
// good groups do not fetch finds others, and one that they do is not fetched two hundred
// times. Inside a group its members are ranked in the same way, so one of them takes the order
// and the next is there if that one does not.
//
// Weights move the odds and nothing else: with equal weights the order of groups is that
// in which the chain pays replicas of one slot (market.Rank).
//
// The package keeps nothing: after a restart it is told again what there is. It does
// not know where to fetch from, and measures nothing.
package picker
