// Package frame makes a blockchain's runtime out of pallets: it gives them
// typed storage, dispatches their calls, runs their hooks in order, meters
// weight, and describes the whole to clients as metadata.
//
// A pallet is a struct that embeds [Base]. Its exported fields of type [Value],
// [Map], [DoubleMap] and [Const] are its storage and constants; its Spec lists
// calls, events and errors. A runtime is a table of pallets: [New] binds them,
// once, and panics on any mistake.
//
//	rt := frame.New(frame.Config{Modules: []frame.Module{0: {Name: "System", Pallet: sys}, 5: {Name: "Balances", Pallet: bal}}, …})
//	out, err := rt.ExecuteBlock(parentState, block, frame.Checking{Par: frame.Serial})
//
// Execution is a function: a block and the state of its parent give changes, a
// digest and events, and nothing else is read. It works on an [Env], which holds
// decoded values for the length of the block and encodes each once at the end.
// Every call runs in a transaction: an error leaves no write and no event behind.
//
// Reflection is used when a runtime is bound, not when it runs. The wire forms
// are those of FRAME: extrinsic version 4, weights of two dimensions, metadata
// V14 and V15.
//
// The package knows no pallet but through the [System] interface, and neither
// tries, databases nor consensus.
package frame
