// Command codecserver lets another implementation of SCALE judge ours: each line
// "typeId hex" on its input is answered by one line, 0x and the hex of the value decoded
// and encoded again, or "error: reason" if it does not decode to its last byte.
// Type ids are those of metadata V15 of the development runtime.
package main
