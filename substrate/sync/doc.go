// Package sync decides which blocks to ask of which peer, and what to import next.
package sync
