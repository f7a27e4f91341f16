// Package gsrpc judges the crust binary with gsrpc v4.2.1, the Go client many
// services use: it reads metadata V14, queries accounts, signs and submits
// transfers, watches them to finality and decodes the events of blocks.
//
// It is a module of its own, so that the client's dependencies stay out of ours.
// The binary is ../../../bin/crust, or what CRUST_BIN names.
package gsrpc
