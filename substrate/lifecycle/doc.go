// Package lifecycle starts and stops what runs at the same time: it is the one
// place in the tree where goroutines begin, so that every one of them has an
// owner that waits for it.
//
// A process is a [Group] of named parts. The first that fails stops the others,
// [Group.Wait] says which it was, and a part that does not stop in time is named
// instead of keeping the process alive in silence:
//
//	ctx, stop := lifecycle.Signals(context.Background(), func(s os.Signal) {
//		log.Info("stopping; a second signal kills", "signal", s)
//	})
//	defer stop()
//	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
//	g.Go("rpc", server.Run)
//	g.Go("p2p", host.Run)
//	return g.Wait()
//
// A panic in a part is a bug, and a node that goes on after one may sign or store
// what it should not. Group stops the other parts, so that they leave their
// data in order, and then panics itself with the part's name and stack.
//
// [Parallel] spreads a computation over all processors. Pure packages, which may
// not start goroutines, take it as an argument ("par").
//
// The package does not restart parts, order their shutdown or log: a part that
// needs another to outlive it gets a Group of its own inside that one.
package lifecycle
