// Package protocol holds the messages that nodes exchange, as values and as
// bytes: what goes over the notification and request protocols of package p2p.
//
//	req := protocol.BlockRequest{Fields: protocol.FieldHeader | protocol.FieldBody, FromHash: h, Max: 64}
//	answer, err := host.Request(ctx, peer, sync2, req.Append(nil))
//	response, err := protocol.DecodeBlockResponse(answer, &req)
//
// Notifications are SCALE; requests and responses are protocol buffers of
// Substrate's schemas, except for warp sync, whose request is a bare hash.
// Decoders check every length against what is left and against the limits of this
// package, ignore fields that they do not know, and never panic. What they
// return may alias their input.
//
// The package opens no connections, and decides nothing: which messages make
// sense is the business of sync, grandpa and txpool.
//
// Rules: facts substrate-compat §5.5 and §11; Polkadot specification "Networking".
package protocol
