// Package staking has tests of guaranteed proof of stake by networks of the real
// program with eras of seconds: who bonds, files keys and validates is elected and
// makes blocks; a guarantor lifts a candidate above another; what is paid is
// what the rules say, computed here a second time, also by a command that pays for
// good; and who is silent, or signs twice, is reported, loses the seat, and what the
// rules say.
package staking
