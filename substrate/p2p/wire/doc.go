// Package wire reads and writes frames: a length as a varint, and as many bytes.
// Every handshake, notification, request and answer of package p2p is one.
package wire
