// Package wire holds the JSON-RPC 2.0 text format that the server
// (substrate/rpc/jsonrpc) and the Go client (client/jsonrpc) share: a scanner
// for the message envelope, appenders that write JSON without reflection, the
// error object, the 0x-hex byte string and pooled buffers.
//
// The envelope is scanned once, by hand. The scanner checks that the whole
// message is JSON as RFC 8259 defines it, remembers where id, method, params,
// result and error lie, and copies nothing:
//
//	var env wire.Envelope
//	if err := wire.ParseEnvelope(msg, &env); err != nil {
//		// not JSON: answer -32700
//	}
//	// env.Params is a slice of msg, for example `["0x00",null]`
//
// It accepts what encoding/json accepts, with two exceptions: nesting deeper
// than MaxDepth is an error, and keys are matched exactly, not by case. Unknown
// keys are skipped and of a repeated key the last one counts, so neither costs
// memory. A fuzz test holds the scanner to encoding/json.
//
// What it does not do: it knows no method and no transport, and it decides
// nothing about what a well-formed message means; that is the business of its
// two users.
package wire
