// Package storage is a storage node: an enclave in a process of its own, the worker that has
// the disks, and the reporter that speaks to the chain, put together.
//
//	err := storage.Run(ctx, storage.Config{NodeURL: "ws://127.0.0.1:9944", …})
//
// It serves two ports on this machine: figures for Prometheus, and a small HTTP
// interface that tells what the node has (/workload, /units, /disks, /files, /tasks).
//
// What fetches files and serves them is a part that Config.Engine brings: it is given
// the worker, which it seals into and reads from, and runs beside the rest.
package storage
