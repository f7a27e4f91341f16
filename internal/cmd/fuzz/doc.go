// Fuzz spends a fixed budget of time on the fuzz targets of the module, those
// that waited longest first.
//
//	fuzz -budget 3m
//	fuzz -budget 30s -only FuzzHeader ./substrate/types
//
// It finds the targets by parsing test files for functions named FuzzXxx, builds
// one instrumented test binary a package, and runs every target for its share of
// the budget, but never for less than -least: when there are too many targets for
// the budget, those left over come first the next time. When each was last fuzzed
// is kept in a small file; on a machine without that file the order is drawn from
// the date, so that different days begin with different targets.
//
// An input that fails is written by the testing package to the target's
// testdata/fuzz directory, ready to be committed as a regression test.
//
// It does not minimise corpora and it does not replace the seed corpus, which
// "go test" runs in every package anyway.
package main
