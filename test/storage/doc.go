// Package storage has tests of storage nodes with the real program: an enclave in a
// process of its own, a worker, and a chain node, from registration to a file whose
// replica counts.
package storage
