package pinning

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// Bounds of the loop.
const (
	dueAtOnce   = 256              // files looked at in one round
	maxWaiting  = 256              // files whose root is looked for at once
	maxSends    = 32               // transactions waited for at once
	sendTimeout = 2 * time.Minute  // then the chain is asked instead
	retryAfter  = 30 * time.Second // what failed for a reason that passes
	retryFunds  = 5 * time.Minute  // what waits for money
	maxTries    = 3                // orders that the chain never took
)

// Run fetches, orders and watches until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g := lifecycle.NewGroup(ctx, 0)
	g.Go("orders", func(ctx context.Context) error { return s.loop(ctx, g) })
	return g.Wait()
}

func (s *Service) loop(ctx context.Context, g *lifecycle.Group) error {
	for {
		due, err := s.due()
		if err != nil {
			return err
		}
		for _, root := range due {
			if err := s.look(ctx, g, root); err != nil {
				return err
			}
		}
		if err := s.takeBack(ctx, g); err != nil {
			return err
		}
		timer := time.NewTimer(min(time.Second, s.cfg.Poll))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// due lists the files whose time has come. Entries that a file has left behind are
// removed.
func (s *Service) due() (roots []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now().Unix()
	var stale [][]byte
	err = s.db.scan([]byte{kindDue}, false, func(key, _ []byte) (bool, error) {
		at, root := int64(binary.BigEndian.Uint64(key[1:9])), string(key[9:])
		if at > now || len(roots) == dueAtOnce {
			return false, nil
		}
		if _, taken := s.busy[root]; taken {
			return true, nil
		}
		f, err := s.db.file(root)
		if err == nil && (f == nil || f.Due != at) {
			stale = append(stale, bytes.Clone(key))
			return true, nil
		}
		roots = append(roots, root)
		return true, err
	})
	if err != nil || len(stale) == 0 {
		return roots, err
	}
	return roots, s.db.update(func(b *pebble.Batch) (err error) {
		for _, key := range stale {
			err = errors.Join(err, b.Delete(key, nil))
		}
		return err
	})
}

// look does what is next for a file. Its error is the database's.
func (s *Service) look(ctx context.Context, g *lifecycle.Group, text string) error {
	f, err := s.keep(ctx, text)
	if err != nil || f == nil {
		return err
	}
	root, err := dag.Parse(f.CID)
	if err != nil {
		return err
	}
	switch {
	case f.Status == Failed:
		return s.change(text, func(f *file) time.Duration {
			if f.Status != Failed { // somebody has pinned it again
				return 0
			}
			return uploadLife
		})
	case f.Size == 0:
		return s.content(ctx, g, f, root)
	default:
		return s.order(ctx, g, f, root)
	}
}

// keep ends the references whose time is over. It returns the file if there is
// something to do for it: not if it has only uploads, which wait for a pin, and not
// if it has nothing, when it is forgotten.
func (s *Service) keep(ctx context.Context, text string) (f *file, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, err = s.db.file(text); err != nil || f == nil {
		return nil, err
	}
	type ref struct {
		user w3auth.User
		id   string
	}
	var over []ref
	kept, pinned := false, false
	prefix, now := refPrefix(text), s.cfg.Now()
	err = s.db.scan(prefix, false, func(key, value []byte) (bool, error) {
		if end := int64(binary.BigEndian.Uint64(value)); end == 0 || end > now.Unix() {
			kept, pinned = true, pinned || end == 0
			return true, nil
		}
		user, id, _ := strings.Cut(string(key[len(prefix):]), "\x00")
		over = append(over, ref{w3auth.User(user), id})
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	err = s.db.update(func(b *pebble.Batch) (err error) {
		for _, r := range over {
			err = errors.Join(err, b.Delete(refKey(text, r.user, r.id), nil), s.disown(b, r.user, text, r.id))
		}
		switch {
		case !kept:
			err = errors.Join(err, b.Delete(dueKey(f.Due, text), nil), b.Delete(fileKey(text), nil))
			if f.Pending != nil || f.Order != nil && f.Order.Expires == 0 {
				err = errors.Join(err, b.Set(unwantedKey(text), seconds(time.Time{}), nil))
			}
		case !pinned: // in this batch, so that a pin that comes now is not put off
			err = errors.Join(err, putFile(b, f, now.Add(uploadLife/24)))
		}
		return err
	})
	if err != nil || pinned {
		return f, err
	}
	if kept {
		return nil, nil
	}
	root, err := dag.Parse(text)
	if err == nil {
		err = s.cfg.Vault.Delete(ctx, root)
	}
	if errors.Is(err, vault.ErrNotFound) {
		err = nil
	}
	return nil, err
}

// change alters a file and has it looked at after a time. A file that was forgotten
// meanwhile stays so.
func (s *Service) change(text string, alter func(*file) time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.db.file(text)
	if err != nil || f == nil {
		return err
	}
	due := *f
	wait := alter(&due)
	return s.db.update(func(b *pebble.Batch) error { return putFile(b, &due, s.cfg.Now().Add(wait)) })
}

// What goroutines do with a file.
const (
	fetching = iota
	sending
)

// claim marks a file as worked on by a goroutine, if fewer than room do the same.
func (s *Service) claim(text string, what, room int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, other := range s.busy {
		if other == what {
			n++
		}
	}
	if _, taken := s.busy[text]; taken || n >= room {
		return false
	}
	s.busy[text] = what
	return true
}

func (s *Service) release(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, text)
	s.poke()
}

// content finds the content of a file, or begins to fetch it.
func (s *Service) content(ctx context.Context, g *lifecycle.Group, f *file, root dag.CID) error {
	size, err := s.cfg.Vault.Graph(ctx, root)
	if err == nil {
		return s.fetched(f.CID, size)
	}
	if !errors.Is(err, vault.ErrNotFound) {
		return err
	}
	if !s.claim(f.CID, fetching, maxWaiting) {
		return s.change(f.CID, func(f *file) time.Duration {
			f.Detail = "waiting for other files to be found"
			return s.cfg.Poll
		})
	}
	if err := s.change(f.CID, func(f *file) time.Duration {
		f.Status, f.Detail = Pinning, "fetching"
		return time.Hour
	}); err != nil {
		return err
	}
	g.Go("fetch "+f.CID, func(ctx context.Context) error {
		defer s.release(f.CID)
		return s.fetch(ctx, f.CID, root)
	})
	return nil
}

// fetch brings a file's content into the vault.
func (s *Service) fetch(ctx context.Context, text string, root dag.CID) error {
	origins, limit, err := s.sources(text)
	if err != nil {
		return err
	}
	// Looking for a root costs next to nothing, and most that are not found never are:
	// only what was found takes one of the few places.
	turn := false
	size, err := s.cfg.Fetch(ctx, engine.Job{Root: root, Limit: limit, Into: s.cfg.Vault, Origins: origins, RootTimeout: s.cfg.RootTimeout,
		Ready: func(ctx context.Context) error {
			select {
			case s.turns <- struct{}{}:
				turn = true
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}})
	if turn {
		<-s.turns
	}
	if ctx.Err() != nil {
		// It begins anew after a restart.
		return errors.Join(s.change(text, func(f *file) time.Duration { f.Status, f.Detail = Queued, ""; return 0 }), ctx.Err())
	}
	if err == nil {
		return s.fetched(text, size)
	}
	s.cfg.Log.Info("cannot fetch a file", "cid", text, "err", err)
	passes := errors.Is(err, engine.ErrDiskFull)
	return s.change(text, func(f *file) time.Duration {
		if passes {
			f.Status, f.Detail = Queued, "the gateway has no room at the moment"
			return retryFunds
		}
		f.Status, f.Detail = Failed, err.Error()
		return uploadLife
	})
}

func (s *Service) fetched(text string, size uint64) error {
	s.mu.Lock()
	clear(s.used) // of all who refer to it
	s.mu.Unlock()
	defer s.poke()
	return s.change(text, func(f *file) time.Duration {
		f.Size, f.Status, f.Detail = size, Pinning, "fetched; to be ordered"
		return 0
	})
}

// sources are the origins that those who pin a file name, and how large it may be:
// as much as the one of them with most room may still have.
func (s *Service) sources(text string) (origins []peer.AddrInfo, limit uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := refPrefix(text)
	err = s.db.scan(prefix, false, func(key, _ []byte) (bool, error) {
		user, id, _ := strings.Cut(string(key[len(prefix):]), "\x00")
		used, err := s.usage(w3auth.User(user))
		if err != nil {
			return false, err
		}
		limit = max(limit, s.cfg.Quota-min(used, s.cfg.Quota))
		p, err := s.find(w3auth.User(user), id)
		if errors.Is(err, errNotFound) {
			return true, nil // an upload
		}
		if err != nil {
			return false, err
		}
		more, err := engine.Origins(p.Origins)
		if err == nil && len(origins) < 2*engine.MaxOrigins {
			origins = append(origins, more...)
		}
		return true, nil
	})
	return origins, limit, err
}

// order looks how the order of a file stands, and places or renews one if need be.
func (s *Service) order(ctx context.Context, g *lifecycle.Group, f *file, root dag.CID) error {
	later := func(err error) error {
		s.cfg.Log.Warn("the chain does not answer", "cid", f.CID, "err", err)
		return s.change(f.CID, func(f *file) time.Duration {
			if f.Status != Pinned {
				f.Detail = "the chain does not answer; this is tried again"
			}
			return retryAfter
		})
	}
	// The height first: that the order is missing then holds for a later block.
	height, err := s.cfg.Chain.Height(ctx)
	if err != nil {
		return later(err)
	}
	o, err := s.cfg.Chain.Order(ctx, root)
	if err != nil {
		return later(err)
	}
	if o == nil && f.Order != nil && f.Pending == nil { // what there was is over
		ended := f.Order.Expires == 0
		return s.change(f.CID, func(f *file) time.Duration {
			if f.Order = nil; ended {
				f.Ended++
			}
			if f.Status != Failed {
				f.Status = Queued
			}
			return 0
		})
	}
	if s.stands(f, o) {
		return s.change(f.CID, func(f *file) time.Duration { return s.note(f, o) })
	}
	if f.Pending == nil {
		return s.place(ctx, g, f, root, o)
	}
	if height > f.Pending.Ends {
		s.cfg.Metrics.Orders.WithLabelValues("lost").Inc()
		return s.giveBack(f.CID, "the chain did not take the order; it is sent again")
	}
	if f.Pending.Block {
		return s.change(f.CID, func(*file) time.Duration { return s.cfg.Poll })
	}
	return s.send(g, f.CID, f.Pending.Tx, s.sentOff)
}

// stands reports whether an order is what the file needs, and lasts.
func (s *Service) stands(f *file, o *Order) bool {
	switch {
	case o == nil || o.Stage == "Expired" || o.Size < f.Size && o.Replicas == 0:
		return false
	case o.Expires == 0: // it waits for its first replica
		return true
	case f.Until != 0:
		return o.Expires > f.Until // renewed
	}
	return o.Expires > o.Height+s.cfg.FileBlocks/6
}

// note writes down how an order stands.
func (s *Service) note(f *file, o *Order) time.Duration {
	if f.Pending != nil {
		s.cfg.Metrics.Orders.WithLabelValues("placed").Inc()
		if cost, ok := new(big.Int).SetString(f.Pending.Cost, 10); ok {
			s.cfg.Metrics.Spent.Add(plancks(cost))
		}
	}
	f.Order, f.Pending, f.Until, f.Tried = o, nil, 0, 0
	switch {
	case o.Live > 0:
		f.Ended = 0
		f.Status, f.Detail = Pinned, fmt.Sprintf("live on %d of %d nodes", o.Live, o.Wanted)
		return s.cfg.PollLive
	case o.Replicas > 0:
		f.Status, f.Detail = Pinning, fmt.Sprintf("reported by %d of %d nodes, and to be proven", o.Replicas, o.Wanted)
	default:
		f.Status, f.Detail = Pinning, "ordered; storage nodes fetch and seal it"
	}
	return s.cfg.Poll
}

// place signs an order, notes it with what it costs, and sends it.
func (s *Service) place(ctx context.Context, g *lifecycle.Group, f *file, root dag.CID, old *Order) error {
	wait := func(detail string, d time.Duration) error {
		return s.change(f.CID, func(f *file) time.Duration {
			if f.Detail = detail; f.Status == Pinning {
				f.Status = Queued
			}
			return d
		})
	}
	fail := func(reason string) error {
		return s.change(f.CID, func(f *file) time.Duration { f.Status, f.Detail = Failed, reason; return uploadLife })
	}
	switch {
	case f.Tried >= maxTries:
		return fail(fmt.Sprintf("the chain did not take the order, %d times", f.Tried))
	case f.Ended >= maxTries:
		return fail(fmt.Sprintf("no storage node took the file before its order ended, %d times", f.Ended))
	}
	cost, ok, err := s.cfg.Chain.Quote(ctx, f.Size)
	if err != nil {
		return wait("the chain does not answer; this is tried again", retryAfter)
	}
	if !ok {
		return fail(fmt.Sprintf("the market takes no file of %d bytes", f.Size))
	}
	free, err := s.cfg.Chain.Free(ctx)
	if err != nil {
		return wait("the chain does not answer; this is tried again", retryAfter)
	}
	s.cfg.Metrics.Free.Set(plancks(free))
	if free.Cmp(cost) < 0 {
		s.cfg.Log.Error("the payer has not enough money: send it some", "cid", f.CID, "cost", cost, "free", free)
		return wait("the gateway's account is short of money", retryFunds)
	}
	day := s.cfg.Now().Unix() / 86400
	if ok, err := s.withinLimit(day, cost); err != nil || !ok {
		return errors.Join(err, wait("the gateway has spent what it may today", retryFunds))
	}
	tx, ends, err := s.cfg.Chain.Sign(ctx, root, f.Size, s.memo())
	if err != nil {
		return wait("the chain does not answer; this is tried again", retryAfter)
	}
	if err := s.reserve(f.CID, &sent{Tx: tx, Ends: ends, Cost: cost.String(), Day: day}, old); err != nil {
		return err
	}
	return s.send(g, f.CID, tx, s.sentOff)
}

// memo tells storage nodes where the content is.
func (s *Service) memo() string {
	addresses := s.cfg.Delegates()
	return strings.Join(addresses[:min(len(addresses), 4)], " ")
}

func (s *Service) withinLimit(day int64, cost *big.Int) (bool, error) {
	if s.cfg.PerDay == nil {
		return true, nil
	}
	spent, err := s.db.spent(day)
	return err == nil && new(big.Int).Add(spent, cost).Cmp(s.cfg.PerDay) <= 0, err
}

// reserve notes a transaction and what it costs, before it is sent.
func (s *Service) reserve(text string, tx *sent, old *Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.db.file(text)
	if err != nil || f == nil {
		return err
	}
	f.Pending = tx
	f.Tried++
	if old != nil && old.Expires != 0 {
		f.Until = old.Expires
	}
	return s.db.update(func(b *pebble.Batch) error {
		return errors.Join(s.spend(b, tx, 1), putFile(b, f, s.cfg.Now().Add(s.cfg.Poll)))
	})
}

// spend counts the cost of a transaction for its day, or takes it back.
func (s *Service) spend(b *pebble.Batch, tx *sent, sign int64) error {
	spent, err := s.db.spent(tx.Day)
	cost, ok := new(big.Int).SetString(tx.Cost, 10)
	if err != nil || !ok {
		return errors.Join(err, fmt.Errorf("cost %q of an order", tx.Cost))
	}
	spent.Add(spent, cost.Mul(cost, big.NewInt(sign)))
	if spent.Sign() < 0 {
		spent.SetInt64(0)
	}
	return b.Set(spentKey(tx.Day), []byte(spent.String()), nil)
}

// giveBack forgets a transaction that took no money.
func (s *Service) giveBack(text, detail string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.db.file(text)
	if err != nil || f == nil || f.Pending == nil {
		return err
	}
	tx := f.Pending
	if f.Pending, f.Detail = nil, detail; f.Status == Pinning {
		f.Status = Queued
	}
	return s.db.update(func(b *pebble.Batch) error {
		return errors.Join(s.spend(b, tx, -1), putFile(b, f, s.cfg.Now()))
	})
}

// send hands a transaction to the chain, and what became of it to done. The next one is
// not signed before the node has this one, so that their nonces differ.
func (s *Service) send(g *lifecycle.Group, text string, tx []byte, done func(text string, err error) error) error {
	if !s.claim(text, sending, maxSends) {
		return s.change(text, func(*file) time.Duration { return s.cfg.Poll })
	}
	taken := make(chan struct{})
	g.Go("order "+text, func(ctx context.Context) error {
		defer s.release(text)
		defer func() {
			select {
			case <-taken:
			default:
				close(taken)
			}
		}()
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		return done(text, s.cfg.Chain.Send(ctx, tx, func() { close(taken) }))
	})
	<-taken
	return nil
}

// sentOff notes what became of a transaction as far as is known.
func (s *Service) sentOff(text string, err error) error {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		s.cfg.Metrics.Orders.WithLabelValues("refused").Inc()
		if err := s.giveBack(text, ""); err != nil {
			return err
		}
		s.cfg.Log.Error("the chain refuses an order", "cid", text, "err", refused.Err)
		return s.change(text, func(f *file) time.Duration {
			f.Status, f.Detail = Failed, "the chain refuses the order: "+refused.Error()
			return uploadLife
		})
	}
	if err != nil {
		s.cfg.Log.Warn("an order is not in a block yet", "cid", text, "err", err)
	}
	return s.change(text, func(f *file) time.Duration {
		if f.Pending != nil && err == nil {
			f.Pending.Block = true
			if f.Status != Pinned {
				f.Status, f.Detail = Pinning, "ordered; the block is to be final"
			}
		}
		return s.cfg.Poll
	})
}
