// Command weights measures what calls and hooks cost and writes the result into
// weights_gen.go of each pallet, and of package runtime for what a block and an
// extrinsic cost before their calls do anything.
//
//	make weights                                # measure and write
//	go run ./internal/cmd/weights -check        # measure and compare only
//
// A weight is time of execution plus, for each key that is read or written the
// first time, the database's cost of it. Each measurement is repeated in rounds,
// and the fastest quarter counts: others on the machine can only make it slower.
// Weights are rounded up to two digits. What several pieces of work share a weight
// with is measured by each, and the most counts.
//
// Weights are part of the rules of the chain, so nodes must not measure them: the
// files are committed, and written only by who wants to change the rules. -check
// is for a machine that is otherwise quiet: it fails if a weight is below half of what it
// measures, six times in a row if need be, which noise does not do. What needs no clock
// is a test of this package: which weights there are, and whether their calls still read
// and write the keys that they are for.
package main

//go:generate go run github.com/crustgo/crust/internal/cmd/weights -dir ../../..
