// Package indexer remembers what happened in the storage market: the chain forgets a
// file that is closed, and says of an order only how it stands now.
//
//	x, err := indexer.Open(dir, c.Genesis(), 1)
//	defer x.Close()
//	err = indexer.CatchUp(ctx, c, x, nil)            // with the node's last final block
//	list, err := x.File(cid, indexer.Key{}, 100)     // ordered, stored, booked, …, closed
//	list, err = x.Account(who, indexer.Key{}, 100)   // the same of a payer, or of a group
//
// An [Entry] is one event of the market, in the words of the commands. [Read] turns
// the events of a block into entries and is all there is of rules. What is read are
// final blocks only, so nothing is ever taken back. The entries of some blocks and
// the cursor behind them are written in one transaction: whatever instant the
// program dies at, an index is that of a chain up to some block. An index holds
// nothing of its own: whoever deletes its directory gets the same one again from a
// node that has the events, for which old blocks take an archive node.
//
// What it does not do: it serves nobody, and it follows no further than the block
// that was final when CatchUp was called.
package indexer
