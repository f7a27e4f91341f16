// Package demo runs the whole product as its user does: the demonstration to its end, and a
// network whose processes are killed at random while people use it.
package demo
