// Package faults runs networks of the real program and hurts them: it kills nodes,
// cuts and delays links, and lets nodes join late. Whatever happens, no two nodes
// may call different blocks final, finality never goes back, it stops where too few
// voters are left, goes on when there are enough, and no node is stuck at the end.
//
// CRUST_LONG=1 turns the long runs on; CRUST_BIN is the program, which is built if
// it is not set. CRUST_SOAK is for how many minutes TestLongSoak runs.
package faults
