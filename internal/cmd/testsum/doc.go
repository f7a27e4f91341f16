// Testsum runs one step of the test plan, counts what it tested and keeps the
// count, so that a whole run can end in one honest line.
//
//	testsum step -kind go -timeout 8m units -- go test -json ./...
//	testsum step -kind node interop -- node --test
//	testsum step vet -- go vet ./...
//	testsum total
//
// A step of kind go reads the event stream of "go test -json", one of kind node
// reads the TAP stream of "node --test --test-reporter=tap"; any other command is
// one check. A command that fails without a failed test in its output (it did not
// compile, ran out of time, crashed) counts as one failure, so that nothing can
// go wrong unseen. Counts are appended to the results file, one JSON object a
// line; total prints them and closes with "N passed, N failed". It fails when
// anything failed, and when nothing was counted at all.
//
// It does not decide what runs: the Makefile does.
package main
