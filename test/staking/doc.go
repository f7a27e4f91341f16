// Package staking has tests of guaranteed proof of stake by networks of the real
// program with eras of seconds: who bonds, files keys and validates is elected and
// makes blocks; a guarantor lifts a candidate above another; and what is paid is
// what the rules say, computed here a second time.
package staking
