// Package market reads, in Go's types, what people who order storage, or sell it,
// want to know: what an order costs and where the money goes, how far it is, who
// holds the file and where, what is prepaid, what a merchant has earned. And it
// makes the calls of their steps.
//
//	s, err := market.Open(ctx, c)                    // at the best block
//	q, ok, err := s.Quote(ctx, size, tips)           // what an order costs now
//	tx := market.Order(cid, size, tips, nil)         // a call that places it
//	f, ok, err := s.File(ctx, cid)                   // f.Stage: live until 3610
//	list, err := s.Replicas(ctx, cid)                // who holds it, and their endpoints
//	fmt.Println(s.Until(f.Expires()))                // time until it ends, about
//
// A State is of one block: all that is asked of it belongs together. CIDs may be
// written in any form; the chain's own is in File.CID.
//
// # Stages
//
// The stages of an order are one vocabulary, here and in gateways and nodes:
//
//	ordered → fetching → sealing → reported n/N → live until T → expired | closed
//
// and failed(reason). The chain knows ordered, reported, live and expired. A file
// that is closed is not in the market any more, nor is one that nobody took in
// time: whoever followed the chain knows which it was.
//
// What it does not do: it signs and sends nothing (package client does), and it
// computes no price, reward or liveness itself: the runtime's MarketApi is asked.
package market
