// Package runtime is Crust's runtime: the table of its pallets, their indices
// and constants, how they are wired to each other, and the geneses of the
// networks that ship with the program.
//
// A [Preset] holds every number that differs between a real network and a
// development one. It is part of a chain's genesis, under [PresetKey]: whoever
// opens the chain reads the constants from it, and two nodes cannot run the same
// chain with different numbers.
//
//	spec, err := runtime.Networks()["dev"].Spec()
//	rt, raw, err := runtime.Load(spec) // the runtime of that chain, and its genesis
//
// To add a pallet: one line in the table, one in the wiring. The golden files in
// testdata show a reviewer what changed on the wire.
package runtime
