// Package state is a chain's state as execution sees it: a read-only [View] of
// keys and values at one block, and the sorted [Change] list that a block writes.
//
// A block is executed on the view of its parent and yields changes; a [Layer]
// holds them, immutable and indexed, for as long as the block is not part of the
// stored base. The state at a block is the base seen through the layers of the
// blocks above it, newest first:
//
//	l, err := state.NewLayer(changes)
//	v, known, deleted := l.Get(key)             // one layer
//	it := state.Overlay(layers, base, pfx, from) // all of them, in key order
//
// [Merge] folds consecutive layers into one, which keeps reads fast when many
// blocks wait for finality. [Pack] makes the journal form of a block's changes, and lays
// the changes where it is, so that they are read in order without waiting for memory; [DecodeChanges] reads it. [Walk] goes over the changes of many layers by key. [Mem] is a View over a plain list, for genesis and
// for tests.
//
// The package is pure: which layers belong to which block, disks and locks are
// the business of package store.
package state
