package voter

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
)

// Keys are the node's GRANDPA keys; they may change at any time.
type Keys interface {
	GRANDPA() []grandpa.Key
}

// Solo finalises every best block as long as the authority set is one key that
// this node has.
type Solo struct {
	chain *chain.Manager
	keys  Keys
	delay time.Duration
	log   *slog.Logger
}

// Delay is how long a new best block waits for its finality by default. Clients
// tell the two steps apart only if time passes between them, as it does wherever
// finality takes messages.
const Delay = 200 * time.Millisecond

// NewSolo makes the voter, which finalises blocks a delay after they became the
// best. It does nothing until Run.
func NewSolo(m *chain.Manager, keys Keys, delay time.Duration, log *slog.Logger) *Solo {
	return &Solo{chain: m, keys: keys, delay: delay, log: log}
}

// Run finalises blocks until ctx ends.
func (s *Solo) Run(ctx context.Context) error {
	wake, cancel := s.chain.Wake()
	defer cancel()
	for {
		for {
			more, err := s.step()
			if err != nil {
				s.log.Error("no block was finalised", "err", err)
			}
			if !more || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.delay):
		}
	}
}

// step finalises one block if that is up to this node alone, and reports whether it did.
func (s *Solo) step() (bool, error) {
	voters := s.chain.Voters()
	authorities := voters.Authorities()
	if len(authorities) != 1 {
		return false, nil
	}
	for _, key := range s.keys.GRANDPA() {
		if key.Public() != authorities[0].Key {
			continue
		}
		next, ok := s.chain.NextToFinalise()
		if !ok {
			return false, nil
		}
		last, err := s.chain.LastRound()
		if err != nil {
			return false, err
		}
		// Every vote has a round of its own, also after a restart or a revert. A vote
		// that a crash keeps from being stored was shown to nobody.
		j := grandpa.Solo(key, grandpa.Round{Set: voters.ID(), Number: last + 1}, grandpa.Target{Hash: next.Hash, Number: next.Number})
		_, err = s.chain.Finalise(scale.Encode(j))
		if errors.Is(err, chain.ErrNotDescendant) {
			return false, nil // somebody else's justification came first
		}
		return err == nil, err
	}
	return false, nil
}
