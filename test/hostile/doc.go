// Package hostile attacks the real program, at its RPC port: broken and huge
// messages, floods, clients that never read, half-open connections; and as a peer:
// wrong handshakes, garbage, announces of blocks that cannot be, blocks that fail,
// proofs and votes by strangers, floods, answers that nobody reads.
//
// Throughout, a well-behaved client must be answered and honest peers must go on,
// and afterwards the node must be what it was before: no panic, no goroutine left,
// bounded memory. A hostile peer is dropped, and the node's log says so once, with
// the peer and the reason.
//
// CRUST_BIN is the program, which is built if it is not set.
package hostile
