// Package trusted is what runs inside the trusted execution environment of a
// storage worker: it makes the units, seals the files, checks what a slot asks for
// and signs only what it has seen. It is a machine without clock, disk or network;
// randomness is a reader that the shell passes in.
//
// Everything the host says may be a lie. What the core believes is what hashes to a
// root that it made itself, or that a final block of the chain shows; docs/protocol/mpow.md
// §13 says attack by attack what that stops.
//
//	core, err := trusted.New(birth, env)             // keys and lineage are born
//	data := core.ReportData(anchor)                  // for the quote that registers them
//	f, err := core.OpenFiller(leaves)                // free space: leaves are emitted once
//	u, err := core.OpenData(leaves)                  // files: blocks that a walk asks for
//	asked, err := core.Challenge(params, slot, …)    // what a slot wants to see
//	p, err := core.Report(drop, lost)                // p.State has to be durable …
//	signed, err := core.Persisted(p.Seq)             // … before the signature leaves
//	outcome, err := core.Follow(warp, nodes, nil)    // what is final
//
// [Core] belongs to one goroutine. A [Filler], a [DataUnit] with the [File] or [Move]
// that is written to it, and [Challenge.Proves] do the work that takes time and touch
// nothing of the core, so that others may run them meanwhile.
//
// After a restart [Open] gives back the keys and what was signed; plan, index and
// log come from the host by [Core.Load] and have to hash to the chain's record or the sealed
// one. Nothing is ever appended to a unit of an earlier run: new ones are opened.
//
// The package does not read files or sockets, keeps no bytes of units, and does not
// make quotes: a platform does, over the 64 bytes of [Core.ReportData].
package trusted
