// Package enclave runs a trusted core as a process of its own and lets a worker talk
// to it over a local socket, as it will have to talk to a real enclave.
//
// The process serves; a connection is a session of package trusted:
//
//	l, err := enclave.Listen(path)
//	err = enclave.Serve(ctx, l, &trusted.Server{Core: core, Lock: new(sync.Mutex), Quote: quote})
//
// A worker dials as many connections as it wants things to happen at a time:
//
//	c, err := enclave.Dial(ctx, path)
//	var id trusted.Identity
//	err = c.Call(&trusted.Hello{Version: trusted.Version, UnitLeaves: 16384}, &id)
//	err = c.Share()                         // for those that have much to carry
//
// With Share bodies lie in memory that both processes have, where the system can do that, and
// only their lengths go through the socket. The other side of it is that the host may
// change a request while it is read: the enclave copies it first.
//
// [Load] and [Save] keep the sealed state in a file: what is there is whole and on
// disk when Save returns.
//
// Frames are those of docs/protocol/mpow.md §11. The package knows none of them: it
// moves bodies. It does not decide who may connect; the socket's file mode does.
package enclave
