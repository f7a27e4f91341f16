package pinning

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
)

// Config says what the service works with.
type Config struct {
	Dir   string    // of the database
	Vault *vault.DB // where the content is; the service deletes what nobody refers to
	// Fetch brings content into the vault: Fetch of an engine.
	Fetch func(ctx context.Context, job engine.Job) (size uint64, err error)
	Chain Chain
	// Delegates are the addresses at which the gateway's engine takes content and
	// gives it to storage nodes.
	Delegates func() []string
	// Host is the name that tokens must have; OnlyExpiring refuses those without.
	Host         string
	OnlyExpiring bool
	// Quota is how many bytes of files a user may refer to (default 10 GiB), MaxPins
	// how many pins it may have (default 100,000).
	Quota   uint64
	MaxPins int
	// PerDay is how many plancks may be spent on orders in a day (UTC); nil bounds nothing.
	PerDay *big.Int
	// Fetches is how many files are fetched at once (default 4), RootTimeout how long
	// anybody has to turn up who has a file (default 10 minutes).
	Fetches     int
	RootTimeout time.Duration
	// Poll is how often an order is looked at that is not live yet (default 6 seconds,
	// a block), PollLive one that is (default 10 minutes).
	Poll, PollLive time.Duration
	// BlockTime and FileBlocks are the chain's: how long a block and an order last. An
	// order is renewed when a sixth of it is left.
	BlockTime  time.Duration
	FileBlocks uint32
	Now        func() time.Time // default: time.Now
	Metrics    *Metrics         // nil counts nowhere
	Log        *slog.Logger

	fs vfs.FS // for tests
}

func (c *Config) setDefaults() error {
	if c.Vault == nil || c.Fetch == nil || c.Chain == nil || c.Delegates == nil || c.FileBlocks == 0 || c.Host == "" {
		return errors.New("pinning: vault, fetch, chain, delegates, file blocks and host are needed")
	}
	def(&c.Quota, 10<<30)
	def(&c.MaxPins, 100_000)
	def(&c.Fetches, 4)
	def(&c.RootTimeout, 10*time.Minute)
	def(&c.Poll, 6*time.Second)
	def(&c.PollLive, 10*time.Minute)
	def(&c.BlockTime, 6*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func def[T uint64 | int | time.Duration](p *T, v T) {
	if *p == 0 {
		*p = v
	}
}

// uploadLife is how long an upload is kept that nobody pins.
const uploadLife = 24 * time.Hour

// Service is the pinning service of a gateway. All methods may be called at the same
// time; Run has to run for anything to be fetched and ordered.
type Service struct {
	cfg Config
	db  *store

	// mu guards the database's rules: whoever reads and writes because of it.
	mu   sync.Mutex
	used map[w3auth.User]uint64 // bytes, of users that were looked at
	busy map[string]int         // files that a goroutine works on: fetching or sending
	wake chan struct{}          // of one slot: something is due

	turns chan struct{} // one for each file that is being fetched

	tookBack time.Time // of the loop alone: when it was last looked what can be cancelled
}

// Open opens the service's database, and forgets graphs of the vault that no user
// refers to.
func Open(cfg Config) (*Service, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	db, err := openStore(cfg.Dir, cfg.fs)
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, db: db, used: map[w3auth.User]uint64{}, busy: map[string]int{}, wake: make(chan struct{}, 1), turns: make(chan struct{}, cfg.Fetches)}
	if err := s.sweep(); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return s, nil
}

// sweep removes graphs that were imported or fetched and never noted.
func (s *Service) sweep() error {
	ctx := context.Background()
	var gone []dag.CID
	err := s.cfg.Vault.Roots(ctx, func(root dag.CID) error {
		f, err := s.db.file(root.String())
		if f == nil && err == nil {
			gone = append(gone, root)
		}
		return err
	})
	for _, root := range gone {
		err = errors.Join(err, s.cfg.Vault.Delete(ctx, root))
	}
	return err
}

// Close closes the database. Run must have returned.
func (s *Service) Close() error { return s.db.close() }

// Errors that the APIs tell apart.
var (
	errNotFound = errors.New("there is no such pin")
	errFunds    = errors.New("the gateway cannot pay for an order now")
	errQuota    = errors.New("your quota is used up")
)

// request is a pin as a user wants it.
type request struct {
	CID     string            `json:"cid"`
	Name    *string           `json:"name,omitempty"`
	Origins []string          `json:"origins,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
}

// add stores a pin. old, if there is one, is replaced by it.
func (s *Service) add(ctx context.Context, u w3auth.User, root dag.CID, r request, old string) (*pin, *file, error) {
	if err := s.affordable(ctx, root); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var before *pin
	if old != "" {
		var err error
		if before, err = s.find(u, old); err != nil {
			return nil, nil, err
		}
	}
	if err := s.checkQuota(u, root.String(), before); err != nil {
		return nil, nil, err
	}
	at, err := s.created(u)
	if err != nil {
		return nil, nil, err
	}
	p := &pin{ID: newID(), Created: at, CID: r.CID, File: root.String(), Name: r.Name, Origins: r.Origins, Meta: r.Meta}
	var f *file
	err = s.db.update(func(b *pebble.Batch) (err error) {
		v, err := json.Marshal(p)
		if err != nil {
			return err
		}
		err = errors.Join(b.Set(pinKey(u, p.Created), v, nil), b.Set(idKey(u, p.ID), binary.BigEndian.AppendUint64(nil, uint64(p.Created)), nil))
		// In this order: both may be of one file, and what is written last holds.
		if err == nil && before != nil {
			err = s.detach(b, u, before)
		}
		if err == nil {
			f, err = s.attach(b, u, root.String(), p.ID, time.Time{}, 0)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	delete(s.used, u)
	s.cfg.Metrics.Pins.Inc()
	s.poke()
	return p, f, nil
}

// created gives the time of a new pin of a user: in milliseconds, as some clients
// know no finer ones, and not that of another one, because clients page by it.
func (s *Service) created(u w3auth.User) (int64, error) {
	for at := s.cfg.Now().UnixMilli(); ; at++ {
		if _, taken, err := s.db.get(pinKey(u, at)); err != nil || !taken {
			return at, err
		}
	}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// attach makes a user's pin or upload refer to a file. s.mu is held.
func (s *Service) attach(b *pebble.Batch, u w3auth.User, root, id string, end time.Time, size uint64) (*file, error) {
	f, err := s.db.file(root)
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &file{CID: root, Status: Queued}
	}
	if size != 0 {
		f.Size = size
	}
	if f.Status == Failed { // it is tried again
		f.Status, f.Detail, f.Tried, f.Ended = Queued, "", 0, 0
	}
	return f, errors.Join(b.Set(refKey(root, u, id), seconds(end), nil), b.Set(ownerKey(u, root), nil, nil), putFile(b, f, s.cfg.Now()))
}

// detach removes a pin and its reference, and has the file looked at. s.mu is held.
func (s *Service) detach(b *pebble.Batch, u w3auth.User, p *pin) error {
	err := errors.Join(b.Delete(pinKey(u, p.Created), nil), b.Delete(idKey(u, p.ID), nil), b.Delete(refKey(p.File, u, p.ID), nil),
		s.disown(b, u, p.File, p.ID))
	f, err2 := s.db.file(p.File)
	if err2 == nil && f != nil {
		err2 = putFile(b, f, s.cfg.Now())
	}
	return errors.Join(err, err2)
}

// disown notes that a user does not refer to a file any more, if id was the last
// reference. s.mu is held.
func (s *Service) disown(b *pebble.Batch, u w3auth.User, root, id string) error {
	others := false
	prefix := refOfUser(root, u)
	err := s.db.scan(prefix, false, func(key, _ []byte) (bool, error) {
		others = string(key[len(prefix):]) != id
		return !others, nil
	})
	if err != nil {
		return err
	}
	if !others {
		err = b.Delete(ownerKey(u, root), nil)
	}
	delete(s.used, u)
	return err
}

// find is a user's pin. s.mu need not be held.
func (s *Service) find(u w3auth.User, id string) (*pin, error) {
	at, ok, err := s.db.get(idKey(u, id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNotFound
	}
	v, ok, err := s.db.get(pinKey(u, int64(binary.BigEndian.Uint64(at))))
	if err == nil && !ok {
		err = errNotFound
	}
	if err != nil {
		return nil, err
	}
	return decode[pin](v)
}

func (s *Service) get(u w3auth.User, id string) (*pin, *file, error) {
	p, err := s.find(u, id)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.db.file(p.File)
	if err == nil && f == nil {
		err = errNotFound
	}
	return p, f, err
}

func (s *Service) remove(u w3auth.User, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(u, id)
	if err != nil {
		return err
	}
	defer s.poke()
	return s.db.update(func(b *pebble.Batch) error { return s.detach(b, u, p) })
}

// usage is how many bytes of files a user refers to. s.mu is held.
func (s *Service) usage(u w3auth.User) (uint64, error) {
	if n, ok := s.used[u]; ok {
		return n, nil
	}
	var sum uint64
	prefix := ownerPrefix(u)
	err := s.db.scan(prefix, false, func(key, _ []byte) (bool, error) {
		f, err := s.db.file(string(key[len(prefix):]))
		if f != nil {
			sum += f.Size
		}
		return true, err
	})
	if err == nil {
		s.used[u] = sum
	}
	return sum, err
}

// checkQuota refuses a pin that would be too much. s.mu is held.
func (s *Service) checkQuota(u w3auth.User, root string, replaced *pin) error {
	pins := 0
	err := s.db.scan(pinPrefix(u), false, func([]byte, []byte) (bool, error) { pins++; return pins <= s.cfg.MaxPins, nil })
	if err != nil {
		return err
	}
	if pins >= s.cfg.MaxPins && replaced == nil {
		return fmt.Errorf("%w: you have %d pins; remove some", errQuota, pins)
	}
	_, mine, err := s.db.get(ownerKey(u, root))
	if err != nil || mine {
		return err
	}
	used, err := s.usage(u)
	if err != nil {
		return err
	}
	f, err := s.db.file(root)
	if err != nil {
		return err
	}
	size := uint64(1) // at least
	if f != nil {
		size = max(size, f.Size)
	}
	if used+size > s.cfg.Quota {
		return fmt.Errorf("%w: %d of %d bytes are taken, and this needs %d; remove pins", errQuota, used, s.cfg.Quota, size)
	}
	return nil
}

// Room is how many bytes a user may still refer to.
func (s *Service) Room(u w3auth.User) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, err := s.usage(u)
	return s.cfg.Quota - min(used, s.cfg.Quota), err
}

// uploaded notes that a user brought a graph, which is in the vault. It is kept for
// a day, and for as long as it is pinned.
func (s *Service) uploaded(ctx context.Context, u w3auth.User, root dag.CID, size uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.cfg.Vault.Graph(ctx, root); err != nil {
		return fmt.Errorf("%v: %w; upload it again", root, err) // forgotten in this moment
	}
	if _, mine, err := s.db.get(ownerKey(u, root.String())); err != nil {
		return err
	} else if !mine {
		used, err := s.usage(u)
		if err != nil {
			return err
		}
		if used+size > s.cfg.Quota {
			return fmt.Errorf("%w: %d of %d bytes are taken, and this is %d; remove pins", errQuota, used, s.cfg.Quota, size)
		}
	}
	delete(s.used, u)
	defer s.poke()
	s.cfg.Metrics.Uploads.Inc()
	s.cfg.Metrics.Uploaded.Add(float64(size))
	return s.db.update(func(b *pebble.Batch) error {
		_, err := s.attach(b, u, root.String(), "upload", s.cfg.Now().Add(uploadLife), size)
		return err
	})
}

// affordable refuses a pin whose order could not be paid. What the chain does not
// answer is found out later.
func (s *Service) affordable(ctx context.Context, root dag.CID) error {
	f, err := s.db.file(root.String())
	if err != nil || f != nil && f.Order != nil {
		return err
	}
	size := uint64(1)
	if f != nil {
		size = max(size, f.Size)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cost, ok, err := s.cfg.Chain.Quote(ctx, size)
	if err != nil || !ok {
		return nil
	}
	free, err := s.cfg.Chain.Free(ctx)
	if err == nil && free.Cmp(cost) < 0 {
		return fmt.Errorf("%w: an order costs %v plancks, and the payer has %v", errFunds, cost, free)
	}
	return nil
}

// poke has the loop look at once.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
