// Package chaintest makes chains for tests of everything around them: blocks of
// the real runtime, forks, signed transfers of many accounts and
// justifications, in memory and by a clock that only tests move.
//
//	net := chaintest.New(t)
//	n := net.Start(t)
//	b := n.Grow(n.Transfer("//Alice", 0, "//Bob", chaintest.CRU))
//	n.FinaliseBest()
//
// What it makes depends on nothing but the calls, so that a failure can be
// repeated. It does not run goroutines.
package chaintest
