// Package store keeps a chain on disk: blocks, justifications and the state at
// every block that is still of interest. It is the only package that knows the
// database.
//
// # State
//
// The flat base holds every key and value at one finalised block, the base
// block. Each block above it is a [state.Layer] in memory and a journal record on
// disk, written with the block itself. Reading a key looks through the layers of
// the block and its ancestors, newest first, then into the base: one database
// read at most, none if the value cache has it or filters know that there is
// nothing. The trie is an index beside the base and is not walked to read.
//
//	root, err := db.Root(parent, changes)          // of a block being built
//	err = db.Commit(block, changes, CommitOptions{}) // imported or built
//	pruned, err := db.Finalise(hash, justification, FinaliseOptions{})
//
// Finalising is one atomic write that drops the losing forks. Now and then (see
// Options.CheckpointBytes) a checkpoint moves the base up to the last finalised
// block: the changed keys, the changed trie records and one undo record per block
// enter the database as one ingested set of sorted tables, all or nothing. Keys
// that change in every block are thus written once per checkpoint, and the trie
// is always stored at the same block as the flat state.
//
// After a crash the base is at the last checkpoint; the journal restores the
// layers above it, and their tries are recomputed when they are first needed.
// What a synced write promised is there; unsynced blocks may be missing, never
// torn.
//
// # History
//
// A finalised block below the base is read as the base with later blocks undone:
// from the undo records of the last Options.KeepBlocks blocks, or in archive mode
// from an index of every old value, with one seek. A [state.View] keeps meaning
// its own block while the base moves: it goes on reading through layers, or
// through undo records once its block is below the base, or fails with
// [state.ErrPruned] if its block is too old. It never mixes blocks.
//
// Blocks that finality discards, and their states, are deleted on disk at once, and
// the latest of them are kept in memory: clients that had preferred one go on
// reading it for a while.
//
// # Writing
//
// One writer (the chain manager) calls Root, Commit, Finalise, Revert; any number
// of goroutines read at the same time. Every key of the database is described in
// schema.go. [Mem] is a disk in memory that can crash, for tests.
//
// All layers above the base are in memory, bounded by Options.MaxLayerBytes for
// those that wait for finality: see [DB.Crowded] and [ErrBacklog].
//
// Not here: fork choice and verification.
package store
