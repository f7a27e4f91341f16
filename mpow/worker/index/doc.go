// Package index is what a storage worker knows of what it holds: which units lie on
// which disk, where in them each block is, which files there are, and by which steps
// the chain's plan came about. Without it the sealed bytes are noise.
//
// It is one database. What belongs together is one Batch, and a batch is there whole
// or not at all:
//
//	b := db.Batch()
//	b.PutUnit(&unit)                 // after its bytes are durable, never before
//	b.PutFile(&file)
//	err := b.Commit()                // durable when it returns
//
// The lines of a unit's blocks may be written ahead of the unit's own (Batch.Flush);
// until that is there they lead nowhere and Open removes them.
//
// Plan, index of files and log, which an enclave has to be shown after a restart, are kept as
// steps: the transition of each counter, and now and then all of it at a counter
// (Snapshot). Ledger makes them again for any counter since the last but one
// snapshot, so that a step costs what it changes and an older sealed state still finds its
// plan.
//
// A copy (CopyStep, CopySnapshot) is lines of the database in a file of its own, from which
// one that is lost is made again (Paste).
//
// The keys are those of schema.go. Only the worker's own bytes are read here; what
// does not decode means that the database is damaged, and is an error.
package index
