// Package example is a chain of its own in four small files, made only from the
// packages under substrate/: the tutorial for those who want to build one. Users
// of the chain leave a short note each, against a deposit. Everything shown here
// is compiled and tested, so read it beside the files that it names.
//
// # Step 1: a pallet
//
// A pallet is one unit of a chain's logic. Package example/notary is one: a struct
// whose fields are its constants, its storage, and what it needs of other pallets,
// and a Spec that lists calls, events and errors by their number on the wire:
//
//	type Pallet struct {
//		frame.Base
//
//		MaxLen frame.Const[uint32]              // longest note, in bytes
//		Notes  frame.Map[types.AccountID, Note] `frame:"blake2_128_concat,optional"` // note of each account that has one
//
//		Currency Currency // keeps the deposits
//	}
//
//	func (p *Pallet) note(e *frame.Env, o frame.Origin, a NoteArgs) error
//
// A call reads and writes through the Env that it is given. If it returns an error,
// nothing that it wrote remains. It must be a function of its arguments and of the
// state: no clock, no randomness, no goroutine, no order of a Go map.
//
// The pallet does not import the balances pallet. It says in an interface of its
// own, Currency, what it needs, and the table below plugs that in.
//
// The comments of fields, calls, events and errors are the documentation that
// clients show; go generate collects them in docs_gen.go.
//
// # Step 2: the pallet's test
//
// notary_test.go makes a chain in memory of the pallet and those it needs, and
// calls frametest.Conformance, which every pallet must pass: all is documented and
// weighed, random arguments do no harm, and a call that fails leaves no trace.
// Then come the pallet's own rules: a table of calls, and random histories against
// a plain Go map. Check, a method of the pallet, is run after every block of a test.
//
// # Step 3: the runtime
//
// chain.go makes the pallets with the constants of this chain, plugs them into each
// other and puts them into the table of frame.New:
//
//	rt := frame.New(frame.Config{
//		Modules: []frame.Module{0: {Name: "System", Pallet: sys}, …, 8: {Name: "Notary", Pallet: not}},
//		…
//	})
//
// That is the whole state transition function. Metadata, storage keys, dispatch,
// and the texts of errors follow from the table; any mistake in it panics when the
// runtime is made, so one test that makes it finds them all. The numbers in
// the table are a contract with the chain's clients: append, never reorder.
//
// # Step 4: the beginning
//
// Spec, also in chain.go, describes block 0: who has money, who validates, by which
// keys. Each pallet has a Genesis type for its section. The result is a chain
// specification in Substrate's own format, and the hash of its header is the
// identity of the chain.
//
// # Step 5: the node
//
// node.go puts the parts together. Each is made by a plain function, knows only what
// it is given, and runs as a member of one lifecycle.Group; the first that fails
// stops the others, and the database is closed last:
//
//	store.Open      blocks and states on disk, or in memory
//	chain.Open      the only writer: checks, executes, stores and finalises blocks
//	mempool.New     transactions that wait
//	author.New      makes a block in each slot that its key may claim
//	voter.New       votes for blocks to be final, here alone: a nil network
//	rpc.New         the methods that clients call
//	jsonrpc.NewServer   HTTP and WebSocket in front of them
//
// # Step 6: use it
//
//	go run ./substrate/example/notaryd
//
// starts the chain with RPC on 127.0.0.1:9944. Any Substrate client can use it: it
// reads from metadata that there is a pallet Notary with a call note. In polkadot.js
// that is api.tx.notary.note('I was here first').signAndSend(bob). In Go, Sign
// makes a transaction, and example_test.go shows how it gets from a client into a
// block, and how its events are read once the block is final.
//
// # What is not here
//
// The node knows no other nodes, because substrate has no networking yet: a chain
// is one process. There is no program under :code, so light clients cannot follow
// the chain; package queryview generates one. Session keys are in memory; package
// keystore keeps them on disk. Weights are constants by hand.
package example
