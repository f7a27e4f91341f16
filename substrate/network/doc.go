// Package network is the node among other nodes: it answers what they ask.
//
// [Server] answers requests from the chain: blocks, warp proofs, and proofs of
// state for light clients. Every answer is bounded in bytes, whatever was asked;
// who asks for more asks again. What is no more there, or never was, is an empty
// answer, for peers cannot know what a node has pruned; an error means that the
// request makes no sense or that the node itself failed.
//
//	s := network.Server{Chain: m, Keys: view.Keys}
//	resp, err := s.Blocks(&protocol.BlockRequest{Fields: protocol.FieldHeader, FromNumber: 1})
//
// Rules: facts substrate-compat §5.5, §5.6, §8.3 and §11.
package network
