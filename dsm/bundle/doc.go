// Package bundle proves offline how the order of a file stood in a final block: its
// size, who holds it and proves so, until when it is paid. A bundle is one file; its
// bytes are those of docs/protocol/bundle.md.
//
//	b, err := bundle.Decode(data)                    // bytes of anybody
//	s, err := bundle.Verify(b, checkpoint, rules, par)
//	fmt.Println(s.Order.FileSize, s.Order.LiveReplicas, s.Time)
//
// What has to be trusted is a checkpoint, genesis or a later block with its set of
// voters, and that less than a third of each set of voters since then lied. The
// trail, warp proofs from the checkpoint on, leads to the block; the nodes of a read
// proof show the part of its state that the question needs. Package light checks
// both.
//
// The question is put to the rules of the chain themselves: the functions order and
// replicas of the runtime's MarketApi run on a view of nothing but the proof. So
// what is live here is what is live on the chain, and no rule stands twice. Rules
// are the runtime of one version; a block that another version made is refused.
//
// Who makes a bundle runs the same on a [Recorder], a view of a state that is
// elsewhere, and asks for a read proof of the keys that were read:
//
//	r := &bundle.Recorder{Fetch: fetch}
//	_, err := bundle.Judge(r, rules, cid)
//	nodes := readProof(r.Keys())
//
// Each byte of a bundle matters: whatever single byte is changed, it is refused.
// [Checkpoint] is the form in which a block that was verified is kept, to start from
// next time.
//
// What it does not do: it fetches nothing and trusts no file for its checkpoint. That
// a replica is live says that its machine has proven lately that it has the bytes,
// not that it serves them.
package bundle
