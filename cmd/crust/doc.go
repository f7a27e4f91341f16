// Crust is the one program of a Crust network: chain node, wallet and tools.
//
//	crust node --dev
//	crust key generate
//	crust query system account //Alice
//	crust tx balances transferKeepAlive //Bob 1.5CRU --suri //Alice
//
// Each command has a file of its own, which holds its flags and every sentence
// that a user reads; what commands do is in packages node and client. A command
// is added in newRootCommand, by one line.
//
// Errors are one sentence with a hint, on standard error, and the exit status is
// not zero. Results go to standard output: as text for people, or with --json as
// JSON for programs. Progress goes to standard error.
package main //arch:allow longpackage a command a file, which nothing imports: splitting it would only export the plumbing
