// Command cosmos measures how cosmos-sdk executes blocks of signed transfers:
//
//	cosmos -accounts 20000 -blocks 20 -txs 1000   # a turn executes and commits the blocks on a new chain
//
// The application has the modules auth, bank, staking, consensus, tx and genutil
// only, which favours it. See package turns for how it is spoken to.
package main
