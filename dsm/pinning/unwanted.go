package pinning

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// An order whose last pin is removed before any storage node has reported the file is
// cancelled: the chain gives back what is not spent. It allows that a day of the market after
// the order, so that the CID is noted until then. To cancel twice costs a fee and does nothing
// else: no transaction has to be written down before it is sent.

// takeBackEvery is how often it is looked whether orders can be cancelled, and
// notYet how long not at one that cannot be now.
const (
	takeBackEvery = time.Minute
	notYet        = 10 * time.Minute
)

// takeBack cancels the orders that nobody wants any more, as far as the chain allows it.
// Its error is the database's.
func (s *Service) takeBack(ctx context.Context, g *lifecycle.Group) error {
	now := s.cfg.Now()
	if now.Before(s.tookBack.Add(takeBackEvery)) {
		return nil
	}
	s.tookBack = now
	var roots []string
	err := s.db.scan([]byte{kindUnwant}, false, func(key, value []byte) (bool, error) {
		if int64(binary.BigEndian.Uint64(value)) <= now.Unix() {
			roots = append(roots, string(key[1:]))
		}
		return len(roots) < dueAtOnce, nil
	})
	for _, text := range roots {
		if err == nil {
			err = s.cancel(ctx, g, text)
		}
	}
	return err
}

// cancel cancels an order if that can be done now.
func (s *Service) cancel(ctx context.Context, g *lifecycle.Group, text string) error {
	f, err := s.db.file(text)
	if err != nil {
		return err
	}
	root, err := dag.Parse(text)
	if err != nil {
		return err
	}
	if f != nil {
		return s.wanted(text) // somebody has pinned it again
	}
	state, err := s.cfg.Chain.Refund(ctx, root)
	switch {
	case err != nil:
		s.cfg.Log.Warn("the chain does not answer", "cid", text, "err", err)
		return nil
	case state == RefundNever:
		return s.wanted(text)
	case state == RefundLater:
		return s.db.update(func(b *pebble.Batch) error { return b.Set(unwantedKey(text), seconds(s.cfg.Now().Add(notYet)), nil) })
	}
	tx, err := s.cfg.Chain.SignCancel(ctx, root)
	if err != nil {
		s.cfg.Log.Warn("an order cannot be cancelled now", "cid", text, "err", err)
		return nil
	}
	return s.send(g, text, tx, func(text string, err error) error {
		_, refused := errors.AsType[*RefusedError](err)
		switch {
		case err == nil:
			s.cfg.Log.Info("an order that nobody wants is cancelled", "cid", text)
			s.cfg.Metrics.Orders.WithLabelValues("cancelled").Inc()
		case !refused:
			s.cfg.Log.Warn("an order is not cancelled yet", "cid", text, "err", err)
			return nil
		}
		return s.wanted(text)
	})
}

// wanted notes that an order is not to be cancelled, or is.
func (s *Service) wanted(text string) error {
	return s.db.update(func(b *pebble.Batch) error { return b.Delete(unwantedKey(text), nil) })
}
