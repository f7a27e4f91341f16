// Package protocol holds the messages that nodes exchange, as values and as
// bytes: what goes over the notification and request protocols of package p2p.
//
//	req := protocol.BlockRequest{Fields: protocol.FieldHeader | protocol.FieldBody, FromHash: h, Max: 64}
//	bytes := req.Append(nil)
//
// Notifications are SCALE; requests and responses are protocol buffers of
// Substrate's schemas, version 1 of each, except for warp sync. Decoders check
// every length against what is left and against the limits of this package,
// ignore fields that they do not know, and never panic.
//
// The package opens no connections, and decides nothing: which messages make
// sense is the business of sync, grandpa and txpool.
//
// Rules: facts substrate-compat §5.5 and §11; Polkadot specification "Networking".
package protocol
