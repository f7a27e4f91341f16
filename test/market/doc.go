// Package market has tests of the storage market by networks of the real program: a
// file is ordered, and what became of it is proven by a file of bytes that is checked
// when no node runs any more.
package market
