// Package bench measures the whole program: the import of blocks, the way of a
// transaction from a client into a block, the start of a node and its idle life.
//
// Figures of a busy or a throttled machine mean little by themselves, so each is
// reported as a ratio to a limit, or to a peer that is measured in the same
// process at the same time: work and peer take turns of a fraction of a second.
// CPU time is that of getrusage, over all threads of the process, so collections
// of garbage and compactions of the database count.
//
// "make bench" prints the benchmarks for benchstat and writes bench/REPORT.md:
// the machine, the versions, the spread, and for each figure the command that
// measures it. Nothing here asserts a time: that would fail on a slow machine.
//
// Packages have benchmarks of their own hot paths; those are not repeated here.
package bench
