package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/crustgo/crust/substrate/types"
)

// Faults is a set of kinds of faults.
type Faults uint16

// The kinds of faults.
const (
	Loss       Faults = 1 << iota // messages are lost, now and then many
	Duplicate                     // messages come twice
	Reorder                       // messages overtake each other
	Partition                     // the network is split
	Skew                          // clocks are wrong, that of one node by seconds
	Crash                         // nodes lose power, and what was not synced
	Silent                        // some validators neither vote nor make blocks
	Equivocate                    // some validators sign two blocks in a slot and two votes in a stage
	SetChange                     // validators change their keys, come and go
	SlowDisk                      // imports take long

	None Faults = 0
	All         = Loss | Duplicate | Reorder | Partition | Skew | Crash | Silent | Equivocate | SetChange | SlowDisk
)

var faultNames = []string{"loss", "duplicate", "reorder", "partition", "skew", "crash", "silent", "equivocate", "setchange", "slowdisk"}

// String lists the kinds.
func (f Faults) String() string {
	switch f {
	case None:
		return "none"
	case All:
		return "all"
	}
	var names []string
	for i, n := range faultNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// ParseFaults reads what String writes.
func ParseFaults(s string) (f Faults, err error) {
	switch s {
	case "none", "":
		return None, nil
	case "all":
		return All, nil
	}
	for _, n := range strings.Split(s, ",") {
		i := slices.Index(faultNames, n)
		if i < 0 {
			return 0, fmt.Errorf("there is no fault %q; choose of %s, or all, or none", n, strings.Join(faultNames, ", "))
		}
		f |= 1 << i
	}
	return f, nil
}

// Options say what to run.
type Options struct {
	Seed   uint64
	Nodes  int               // all of them validators
	Blocks types.BlockNumber // the run ends when so many are final
	Faults Faults
	// Trace is told of every event, a line each; it may be nil.
	Trace io.Writer
}

// Replay is the command that repeats a run.
func (o *Options) Replay() string {
	return fmt.Sprintf("crust sim --seed %d --nodes %d --blocks %d --faults %v", o.Seed, o.Nodes, o.Blocks, o.Faults)
}

// Result is what happened in a run. Durations are of the simulated clock.
type Result struct {
	Seed        uint64            `json:"seed"`
	Best        types.BlockNumber `json:"best"`
	Finalised   types.BlockNumber `json:"finalised"`
	Root        types.Hash        `json:"root"` // state root of Finalised
	Sets        types.SetID       `json:"sets"`
	Rounds      int               `json:"rounds"` // that somebody has voted in
	Time        time.Duration     `json:"time"`
	P50         time.Duration     `json:"p50"` // from the author to the slowest node's finality
	P99         time.Duration     `json:"p99"`
	Recovery    time.Duration     `json:"recovery"` // from the last heal until all agree beyond what was the best block
	Messages    int               `json:"messages"`
	Lost        int               `json:"lost"`
	Events      int               `json:"events"`
	Injected    map[string]int    `json:"injected"`    // faults by kind
	Blamed      int               `json:"blamed"`      // reports of honest nodes about honest nodes, of little weight
	Caught      int               `json:"caught"`      // equivocations that honest nodes saw
	Reported    int               `json:"reported"`    // slashes on the final chain
	Slashed     int               `json:"slashed"`     // of them, taken
	Fingerprint string            `json:"fingerprint"` // of all events
}

// Kinds is how many kinds of faults there were.
func (r *Result) Kinds() (n int) {
	for _, times := range r.Injected {
		if times > 0 {
			n++
		}
	}
	return n
}
