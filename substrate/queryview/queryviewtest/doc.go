// Package queryviewtest runs query views in a WebAssembly interpreter and compares
// them with the runtime that they speak for.
//
//	queryviewtest.Check(t, view, state, native, calls)
//
// fails the test unless, for every call, the code of the view returns what native
// returns (or refuses where native does), and reads exactly the keys that
// [queryview.View.Keys] lists. Functions that only estimate need to return something
// that can be decoded.
//
// The host here provides what the module imports and nothing else, with an
// allocator and SCALE options as light clients have them. It serves tests: it is
// slow and trusts nothing but its own bounds checks.
package queryviewtest
