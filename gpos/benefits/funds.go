package benefits

import (
	"math"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// funds is the money of one fund of an account: total = active + Σ unlocking.
type funds struct {
	total, active Balance
	unlocking     []FundsUnlockChunk // oldest first; never modified in place
}

// add puts money in.
func (f *funds) add(v Balance) {
	f.total, f.active = f.total.AddSat(v), f.active.AddSat(v) // all money together fits
}

// cut makes up to v of the active money unlock in an era, and returns how much.
// A rest below least goes with it.
func (f *funds) cut(v, least Balance, era types.EraIndex) (moved Balance) {
	if moved = v.Min(f.active); moved.IsZero() {
		return moved
	}
	if f.active.SubSat(moved).Less(least) {
		moved = f.active
	}
	f.active = f.active.SubSat(moved)
	f.unlocking = append(slices.Clone(f.unlocking), FundsUnlockChunk{moved, era})
	return moved
}

// rebond makes up to v of what is unlocking active again, the newest first, and
// returns how much.
func (f *funds) rebond(v Balance) (moved Balance) {
	chunks := slices.Clone(f.unlocking)
	for n := len(chunks); n > 0 && moved.Less(v); n = len(chunks) {
		take := chunks[n-1].Value.Min(v.SubSat(moved))
		moved = moved.AddSat(take)
		if chunks[n-1].Value = chunks[n-1].Value.SubSat(take); chunks[n-1].Value.IsZero() {
			chunks = chunks[:n-1]
		}
	}
	f.active, f.unlocking = f.active.AddSat(moved), chunks
	return moved
}

// lose takes up to v away, active money first, then chunks from the oldest, and
// returns how much there was to lose.
func (f *funds) lose(v Balance) (lost Balance) {
	lost = v.Min(f.active)
	f.active = f.active.SubSat(lost)
	chunks := slices.Clone(f.unlocking)
	for len(chunks) > 0 && lost.Less(v) {
		take := chunks[0].Value.Min(v.SubSat(lost))
		lost = lost.AddSat(take)
		if chunks[0].Value = chunks[0].Value.SubSat(take); !chunks[0].Value.IsZero() {
			break
		}
		chunks = chunks[1:]
	}
	f.total, f.unlocking = f.total.SubSat(lost), chunks
	return lost
}

// release takes out what has unlocked by an era, and returns how much.
func (f *funds) release(era types.EraIndex) (out Balance) {
	var waiting []FundsUnlockChunk
	for _, c := range f.unlocking {
		if c.Era > era {
			waiting = append(waiting, c)
			continue
		}
		out = out.AddSat(c.Value)
	}
	f.total, f.unlocking = f.total.SubSat(out), waiting
	return out
}

// free is how many reports of a price the active money pays for.
func (f *funds) free(price Balance) uint32 {
	if price.IsZero() {
		return math.MaxUint32
	}
	return uint32(min(f.active.Div(price).Uint64Sat(), math.MaxUint32))
}
