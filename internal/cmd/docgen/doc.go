// Command docgen writes docs_gen.go for a pallet package: the documentation
// that metadata shows to clients, taken from the source comments of the
// pallet's storage fields, constants, calls, events and errors. Reflection
// cannot see comments, so they are collected when code is generated.
//
//	//go:generate go run github.com/crustgo/crust/internal/cmd/docgen
package main
