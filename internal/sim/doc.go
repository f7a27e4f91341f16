// Package sim runs a network of many nodes on one thread, by a clock of its own,
// and tries to break it.
//
//	r, err := sim.Run(sim.Options{Seed: 7, Nodes: 4, Blocks: 300, Faults: sim.All})
//
// Every node is the real one but for sockets, timers and goroutines: chain
// manager, database on a disk that can crash, machines of synchronisation and of
// finality, server and author. Between them lie links that delay, lose, repeat and
// reorder messages; networks are split and healed, clocks are wrong, machines lose
// power and what was not synced with it, validators are silent, or sign two blocks
// in a slot and two votes in a round. What happens is drawn from the seed and from
// nothing else, so that a run that fails can be repeated: the hash of all events
// is part of the result.
//
// Checkers watch every step. Final blocks never conflict, and no node's finality
// goes back, not even over a crash; no honest node signs two blocks in a slot or
// two votes in a stage; no honest node would be banned by another; who signs twice is
// reported by the others, taken out of the next election, replaced if somebody waits
// for a seat, and slashed when the deferral is over, and nobody else is; when the last
// fault is over, finality goes on, and all nodes agree; and the final chain,
// replayed on a new node, gives the same state.
//
// [Voters] is for many more nodes: real voters on a chain that is not executed, to
// measure how long finality takes.
package sim
