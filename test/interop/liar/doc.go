// Command liar is a peer that light clients must not believe. It stands between a
// node and its clients: what they ask it asks the node, and of each lie that it is
// told to tell it makes a peer of its own, which changes one thing.
//
//	liar -node /ip4/…/p2p/… -genesis 0x… -at 12 seal vrf
//
// prints an object of the lies and their addresses, and ends with its standard
// input. Such a peer says that the chain ends at the block -at, or at what is final
// for the node if that is 0. The lies:
//
//	none     nothing is changed: what clients do believe
//	seal     the last block's seal does not sign it
//	vrf      the last block's claim has a false VRF proof, under a right seal
//	commit   one precommit for the last block's parent has a false signature
//	few      too few voters have signed the precommits
//	warp     one precommit in the first fragment of warp proofs has a false signature
//	storage  one byte of a trie node is another in proofs, but in those of :code
//
// All but the last two need the genesis authorities of `crust devnet`, whose keys
// everybody knows, in office at the block.
package main
