// Package kubo pins the kubo that judges our IPFS side, and nothing else: the
// module is its own, so that kubo's dependencies stay out of ours.
//
//	go build -o ../../../out/kubo/ipfs github.com/ipfs/kubo/cmd/ipfs
//
// makes the program out of the Go registry alone. The suites that use it are in
// ../ipfs.
package kubo
