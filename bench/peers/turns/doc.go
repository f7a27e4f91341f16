// Package turns is how a peer's program is measured: it prepares, says so, and
// takes one turn for each line that it reads, so that whoever measures can have
// several programs take turns. Everything that it says is a line of JSON; its CPU
// time is that of its own process, over all threads.
package turns
