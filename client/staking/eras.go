package staking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// State is the staking state of a chain after one block.
type State struct {
	c  *client.Client
	at types.Hash

	Active  types.EraIndex // era that validators act in
	Planned types.EraIndex // latest era that was planned: the active one, or the one after it
	Oldest  types.EraIndex // first era whose rewards can still be paid
	History types.EraIndex // eras for which rewards can be paid
	Bonding types.EraIndex // eras from unbonding to withdrawal
	Defer   types.EraIndex // eras from an offence's report to the slash
	Era     time.Duration  // length of an era, if every slot has its block
	Session time.Duration  // length of a session
	Rest    time.Duration  // until the next era begins, about
}

// ErrNoStaking says that the chain has no staking, or that it has not begun.
var ErrNoStaking = errors.New("this chain has no staking; ask a node of another one with --url")

// Open reads the eras at the best block, at which all else is read as well.
func Open(ctx context.Context, c *client.Client) (*State, error) {
	at, err := c.BestHash(ctx)
	if err != nil {
		return nil, err
	}
	return OpenAt(ctx, c, at)
}

// OpenAt is Open at a block.
func OpenAt(ctx context.Context, c *client.Client, at types.Hash) (*State, error) {
	s := &State{c: c, at: at}
	if _, err := c.Metadata().Storage("Staking", "ActiveEra"); err != nil {
		return nil, ErrNoStaking
	}
	constants := map[string]uint64{"Staking.SessionsPerEra": 0, "Staking.BondingDuration": 0, "Staking.SlashDeferDuration": 0,
		"Babe.EpochDuration": 0, "Babe.ExpectedBlockTime": 0}
	for name := range constants {
		n, err := s.constant(name)
		if err != nil {
			return nil, err
		}
		constants[name] = n
	}
	s.Bonding, s.Defer = types.EraIndex(constants["Staking.BondingDuration"]), types.EraIndex(constants["Staking.SlashDeferDuration"])
	slot := time.Duration(constants["Babe.ExpectedBlockTime"]) * time.Millisecond
	s.Session = time.Duration(constants["Babe.EpochDuration"]) * slot
	s.Era = time.Duration(constants["Staking.SessionsPerEra"]) * s.Session
	return s, s.readEras(ctx, types.SessionIndex(constants["Staking.SessionsPerEra"]), constants["Babe.EpochDuration"], slot)
}

func (s *State) constant(name string) (uint64, error) {
	pallet, item, _ := cut(name)
	v, err := s.c.Constant(pallet, item)
	if err != nil {
		return 0, err
	}
	n, ok := metadata.BigInt(v)
	if !ok || !n.IsUint64() {
		return 0, fmt.Errorf("constant %s of the chain is not a number", name)
	}
	return n.Uint64(), nil
}

// readEras finds the eras, and how much of the active one is left.
func (s *State) readEras(ctx context.Context, perEra types.SessionIndex, epochSlots uint64, slot time.Duration) error {
	var active struct {
		Index types.EraIndex `json:"index"`
	}
	switch ok, err := s.read(ctx, &active, "Staking.ActiveEra"); {
	case err != nil:
		return err
	case !ok:
		return ErrNoStaking
	}
	s.Active = active.Index
	var session, start, next types.SessionIndex
	var epoch, first, current uint64
	for _, q := range []struct {
		into any
		item string
		keys []any
	}{
		{&s.Planned, "Staking.CurrentEra", nil}, {&s.History, "Staking.HistoryDepth", nil}, {&session, "Session.CurrentIndex", nil},
		{&start, "Staking.ErasStartSessionIndex", []any{uint64(s.Active)}}, {&next, "Staking.ErasStartSessionIndex", []any{uint64(s.Active) + 1}},
		{&epoch, "Babe.EpochIndex", nil}, {&first, "Babe.GenesisSlot", nil}, {&current, "Babe.CurrentSlot", nil},
	} {
		if _, err := s.read(ctx, q.into, q.item, q.keys...); err != nil {
			return err
		}
	}
	s.Oldest = s.Planned - min(s.Planned, s.History)
	if next == 0 {
		next = start + perEra
	}
	if next > session {
		s.Rest = time.Duration(next-session) * s.Session
	}
	passed := current - min(current, first+epoch*epochSlots) // slots of the session that are over
	s.Rest -= min(s.Rest, time.Duration(min(passed, epochSlots))*slot)
	return nil
}

// Until is about how long it is until an era begins; zero if it has.
func (s *State) Until(era types.EraIndex) time.Duration {
	if era <= s.Active {
		return 0
	}
	return s.Rest + time.Duration(era-s.Active-1)*s.Era
}
