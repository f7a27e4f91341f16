// Package arch holds the architecture to its word: a plain test that reads every
// package of the module and reports what breaks the table of
// docs/ARCHITECTURE.md.
//
// It checks
//
//   - purity: a pure package has no goroutines, channels, floats, ranges over maps
//     whose order could reach a result, or package variables that change, and
//     imports no clock, disk, network, randomness or logging;
//   - import arrows: which packages of ours, and which third-party modules, each
//     package may import; a pallet never names another package's Pallet;
//   - goroutines in shells: started only in lifecycle packages;
//   - use: once there is a command, every package is imported by another;
//   - size: files of at most 800 lines, functions of at most 70, packages of at
//     most 5,000;
//   - form: every package has a doc.go with a package comment, and no comment
//     leaves work to be done later.
//
// The rules are data, in rules.go: a new package is one line there. Where a rule
// makes a piece of code worse, the line itself, the line above it or the doc
// comment of the function says so with its reason:
//
//	//arch:allow maprange the loop only counts, so order cannot show
//
// The words are maprange, float, var, goroutine, longfunc and longfile; the
// reason is compulsory, and an allowance that excuses nothing is reported too.
//
// The checker does not follow values through calls: a map whose order leaks by
// way of a helper outside the pure packages, or reflection, gets past it.
package arch
