// Package worker is the host half of a storage node: it has the disks, and an enclave
// (package enclave) that it brings sealed bytes to and from. What the enclave signs is true
// whatever the host does; what the host can do wrong is lose things, and most of
// this package is about not losing them.
//
//	w, err := worker.Open(ctx, worker.Config{Socket: …, Disks: …, Filler: 500 << 30})
//	go w.Run(ctx)                                // free space is filled up to the target
//
//	s, err := w.Begin(ctx, root, limit)          // a file is sealed …
//	wanted, err := s.Put(ctx, blocks)            // … block by block, as its walk wants
//	size, err := s.Commit(ctx)                   // … and is there for good
//	block, err := w.Get(ctx, cid)
//
//	signed, err := w.Heartbeat(ctx, params, slot) // what a slot asks for was shown
//	outcome, err := w.Follow(warp, nodes, window) // what the chain made of it
//
// When to report, and what to do after a re-org, is package slots; what talks to a
// node is package chain.
//
// # What is durable when
//
// A unit is written by one lane, a connection to the enclave of its own; files that
// are sealed at the same time share it. Commit closes the unit: its bytes are made
// durable, then one write to the index brings the unit, its blocks and the files
// that are complete with it. Several commits at a time share that. So what Commit or Run
// completed survives a power cut, and everything else leaves no trace but a file that the next
// start deletes. A unit is never appended to after a restart.
//
// A file that takes long fills units before it is complete, and one that is not full is completed after a while.
// What they have of a file that is cut short, by a restart or by Abandon, is its remnant: it is kept
// for a day and read like any block, so that whoever begins the file again has to look elsewhere only for
// the rest. Begin forgets remnants when there is no room for a file.
//
// If a disk fails while a unit is written, the lane is begun anew: the enclave
// forgets the unit and the files on that lane, which fail with ErrInterrupted.
//
// The step of a plan, the units that come with it, and the enclave's sealed state are durable before a
// signature is asked for. Units that leave the plan stay on disk until that is final and no
// audit can ask for them.
//
// # A lost index
//
// Copies of what each report changes lie on the disks. If the index is missing, Open makes it
// again from those, and finds the blocks by the headers of their records; what no report
// had yet is not in it.
//
// # What is lost
//
// A leaf that cannot be shown makes its unit bad: it leaves with the report, with the
// files in it. What is not there at all leaves without being asked for. If files are
// in more than four such units, Heartbeat fails with trusted.ErrTooManyBad and the loss is to be
// declared with Loss.
//
// # Units that are mostly garbage
//
// Compact moves files out of units of which little is left, and out of small ones once there are
// many. Their entries change with a report that has the new unit; until then both units are
// kept, and what was not moved to its end counts for nothing.
package worker
