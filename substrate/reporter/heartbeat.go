package reporter

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// When heartbeats are sent.
const (
	million      = 1_000_000
	firstPart    = million / 10 // of a session, in which none is sent
	lastSlots    = 4            // of a session, in which all are sent though it be short: a block has to take them
	resendBlocks = 10           // after which a heartbeat that is in no block is sent again
)

// sent is a heartbeat that was sent.
type sent struct {
	key     [32]byte
	session types.SessionIndex
	at      types.BlockNumber // best block
}

// silence is what ImOnlineApi_silent answers.
type silence struct {
	session types.SessionIndex
	len     uint32
	silent  []silent
}

type silent struct {
	position uint32
	key      [32]byte
}

const silentSize = 4 + 32

// heartbeats sends the heartbeats that are due at the best block.
func (r *Core) heartbeats(ctx context.Context, best chain.Ref, view state.View) error {
	keys := r.keys.ImOnline()
	head, ok := r.chain.Head(best.Hash)
	if len(keys) == 0 || !ok || best.Number == 0 || head.Slot+maxBehind < babe.SlotAt(r.cfg.Now(), r.chain.BABE().SlotDuration) {
		return nil
	}
	epoch, _ := head.Epochs.At(head.Slot)
	passed := uint64(head.Slot - epoch.Start)
	if !due(passed, epoch.Duration, 0) {
		return nil
	}
	s, err := r.silence(view)
	if err != nil {
		return err
	}
	changed := false
	for _, v := range s.silent {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Public() == v.key })
		if i < 0 || r.recent(v.key, s.session, best.Number) || !due(passed, epoch.Duration, draw(v.key, best.Number)) {
			continue
		}
		raw, err := heartbeat(r.chain.Runtime(), keys[i], best.Number, s, v.position)
		if err != nil {
			return err
		}
		r.note(sent{v.key, s.session, best.Number})
		changed = true
		if _, err := r.pool.SubmitLocal(ctx, raw); err != nil {
			r.cfg.Log.Debug("the pool does not take a heartbeat now", "session", uint32(s.session), "err", err)
			continue
		}
		r.cfg.Log.Info("heartbeat sent", "session", uint32(s.session), "validator", v.position, "block", uint32(best.Number))
	}
	if changed {
		return r.save()
	}
	return nil
}

// silence asks the runtime who was not seen in the session.
func (r *Core) silence(view state.View) (s silence, err error) {
	out, err := r.chain.Runtime().Call(view, "ImOnlineApi_silent", nil)
	if err != nil {
		return s, err
	}
	c := scale.NewCursor(out)
	s.session = types.SessionIndex(c.U32())
	_ = c.U32() // the progress of the session in slots says better when a heartbeat is due
	s.len = c.U32()
	s.silent = make([]silent, c.Len(silentSize))
	for i := range s.silent {
		s.silent[i].position = c.U32()
		c.Fixed(s.silent[i].key[:])
	}
	return s, c.Finish()
}

// heartbeat makes the sign of life of the validator at a position.
func heartbeat(rt *frame.Runtime, key Key, best types.BlockNumber, s silence, position uint32) (types.Extrinsic, error) {
	b := scale.AppendU32(scale.AppendU32(nil, uint32(best)), uint32(s.session))
	b = scale.AppendU32(scale.AppendU32(b, position), s.len)
	signature := key.Sign(b, nil)
	return bare(rt, "ImOnline.heartbeat", append(b, signature[:]...))
}

// due reports whether a heartbeat is sent at a block, given how many slots of the
// session have passed, its length, and a draw below a million. Of the part p that
// has passed, p⁶ + 1/length of the draws are winners, and in the end all.
func due(passed, length, draw uint64) bool {
	if passed >= min(length*8/10, max(length-min(length, lastSlots), length/2)) {
		return true
	}
	progress := passed * million / length
	if progress < firstPart {
		return false
	}
	threshold := progress
	for range 5 {
		threshold = threshold * progress / million
	}
	return draw <= threshold+million/length
}

// draw is a number below a million, for each key and block another.
func draw(key [32]byte, n types.BlockNumber) uint64 {
	h := frame.Blake2b256(scale.AppendU32(key[:], uint32(n)))
	return binary.LittleEndian.Uint64(h[:8]) % million
}

// recent reports whether the key's heartbeat of the session was sent a short while ago.
func (r *Core) recent(key [32]byte, session types.SessionIndex, best types.BlockNumber) bool {
	return slices.ContainsFunc(r.sent, func(s sent) bool {
		return s.key == key && s.session == session && best < s.at+resendBlocks
	})
}

// note remembers a heartbeat, and forgets those of sessions that are over.
func (r *Core) note(s sent) {
	r.sent = slices.DeleteFunc(r.sent, func(o sent) bool { return o.key == s.key || o.session+1 < s.session })
	r.sent = append(r.sent, s)
}

// memoryName is under what the heartbeats that were sent are kept; the number is
// that of the format.
const memoryName = "reporter/heartbeats/1"

const sentSize = 32 + 4 + 4

func (r *Core) save() error {
	b := scale.AppendCompact(nil, uint64(len(r.sent)))
	for _, s := range r.sent {
		b = scale.AppendU32(scale.AppendU32(append(b, s.key[:]...), uint32(s.session)), uint32(s.at))
	}
	return r.cfg.Memory.PutAux(true, store.AuxWrite{Name: memoryName, Value: b})
}

func (r *Core) load() error {
	b, err := r.cfg.Memory.Aux(memoryName)
	if err != nil || len(b) == 0 {
		return err
	}
	c := scale.NewCursor(b)
	r.sent = make([]sent, c.Len(sentSize))
	for i := range r.sent {
		s := &r.sent[i]
		c.Fixed(s.key[:])
		s.session, s.at = types.SessionIndex(c.U32()), types.BlockNumber(c.U32())
	}
	if err := c.Finish(); err != nil {
		return fmt.Errorf("the heartbeats that were sent: %w", err)
	}
	return nil
}
