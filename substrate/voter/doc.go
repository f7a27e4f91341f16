// Package voter finalises blocks.
//
// [Solo] is the voter of a chain with a single GRANDPA authority: a set of one
// reaches agreement with itself, so its precommit alone is a justification. It
// is a genuine one, which light clients verify like any other. Rounds between
// several authorities are not voted here.
package voter
