// Command shortspec prints the chain specification of a devnet of four validators whose
// sessions have 8 slots of half a second, its eras two sessions, and whose slashes wait for
// one era: so that suites see elections and what follows from them within a minute.
package main
