// Package hostile attacks the real program over its RPC port: broken and huge
// messages, floods, clients that never read, half-open connections. Throughout,
// a well-behaved client must be answered, and afterwards the node must be what
// it was before: no panic, no goroutine left, bounded memory.
//
// CRUST_BIN is the program, which is built if it is not set.
package hostile
