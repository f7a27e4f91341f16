package p2p

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Reputation is how a peer's standing changes. It starts at zero and halves its
// distance to zero every minute.
type Reputation int32

// What a peer can do, and what it costs. The layers above add their own.
const (
	CostFatal     Reputation = math.MinInt32 // refused at once
	CostOversized Reputation = -600          // a frame longer than its protocol allows
	CostFlood     Reputation = -600          // more messages or requests than any honest node has
	CostStall     Reputation = -300          // does not read what it is sent
	CostGarbage   Reputation = -300          // bytes that are no frame, handshake or message
	CostTimeout   Reputation = -50           // a request that it did not answer

	// BanThreshold is the reputation at which a peer is dropped and refused.
	BanThreshold Reputation = -1000
	// maxReputation bounds what a peer can save up.
	maxReputation = 1000
)

const reputationHalfLife = time.Minute

// slot is why a peer may have a session.
type slot uint8

const (
	slotNone     slot = iota
	slotOut           // the node dialled it
	slotIn            // it dialled
	slotLight         // it dialled, a light client
	slotReserved      // it is reserved: not counted
	slots
)

// record is what the node remembers of a peer, connected or not.
type record struct {
	reserved bool
	slot     slot
	dialable bool // has addresses, so it is a candidate to dial
	score    Reputation
	scored   time.Time // when score was right
	banned   time.Time // refused until then
	failures int       // attempts in vain since it was last open
	retry    time.Time // not dialled before
	seen     time.Time // when it last did something

	allowance *allowance // nil until it opens a substream; it has a lock of its own
}

// Why the book refuses a peer.
var (
	errBanned = errors.New("its reputation is too low")
	errFull   = errors.New("no slot is free")
	errOnly   = errors.New("only reserved peers are wanted")
)

// book remembers peers, and decides who may have a slot and who is dialled. It is
// a plain value: the host's lock guards it, and the time is an argument.
type book struct {
	limits  Limits
	only    bool // reserved peers and no others
	records map[peer.ID]*record
	used    [slots]int
}

func newBook(l Limits, only bool) *book {
	return &book{limits: l, only: only, records: map[peer.ID]*record{}}
}

// get returns the record of a peer, and makes one if there is none. When too many
// are known the one that was silent longest is forgotten, bans last.
func (b *book) get(id peer.ID, now time.Time) *record {
	r, ok := b.records[id]
	if !ok {
		if len(b.records) >= b.limits.Known {
			b.forget(now)
		}
		r = &record{scored: now, retry: now}
		b.records[id] = r
	}
	r.seen = now
	return r
}

// forget drops the least useful record, if one can be spared.
func (b *book) forget(now time.Time) {
	var worst peer.ID
	worse := func(x, y *record) bool {
		if bx, by := x.banned.After(now), y.banned.After(now); bx != by {
			return by
		}
		return x.seen.Before(y.seen)
	}
	for id, r := range b.records {
		if r.slot == slotNone && !r.reserved && (worst == "" || worse(r, b.records[worst])) {
			worst = id
		}
	}
	delete(b.records, worst)
}

// learn notes that a peer of this chain can be dialled.
func (b *book) learn(id peer.ID, now time.Time) { b.get(id, now).dialable = true }

// reserve makes a peer reserved, or ordinary again; a session moves to the slot
// that it then has.
func (b *book) reserve(id peer.ID, on bool, now time.Time) {
	r := b.get(id, now)
	r.reserved = on
	switch {
	case on:
		r.dialable, r.banned, r.score, r.retry, r.failures = true, time.Time{}, 0, now, 0
		if r.slot != slotNone {
			b.take(r, slotReserved)
		}
	case r.slot == slotReserved:
		b.take(r, slotOut)
	}
}

// take moves a record to a slot.
func (b *book) take(r *record, s slot) {
	b.used[r.slot]--
	r.slot = s
	b.used[s]++
}

// admit gives a peer that dialled a slot, or says why not.
func (b *book) admit(id peer.ID, light bool, now time.Time) error {
	r := b.get(id, now)
	switch {
	case r.reserved:
		b.take(r, slotReserved)
		return nil
	case b.only:
		return errOnly
	case r.banned.After(now):
		return errBanned
	}
	kind, most := slotIn, b.limits.In
	if light {
		kind, most = slotLight, b.limits.InLight
	}
	if b.used[kind] >= most {
		return errFull
	}
	b.take(r, kind)
	return nil
}

// next returns up to n peers to dial now, and gives them slots: first the
// reserved ones, then any, least failed first.
func (b *book) next(n int, now time.Time) []peer.ID {
	var reserved, others []peer.ID
	for id, r := range b.records {
		switch {
		case r.slot != slotNone || r.retry.After(now):
		case r.reserved:
			reserved = append(reserved, id)
		case r.dialable && !b.only && !r.banned.After(now):
			others = append(others, id)
		}
	}
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	slices.SortStableFunc(others, func(x, y peer.ID) int { return cmp.Compare(b.records[x].failures, b.records[y].failures) })
	others = others[:min(len(others), max(0, b.limits.Out-b.used[slotOut]))]
	chosen := append(reserved, others...)
	chosen = chosen[:min(n, len(chosen))]
	for _, id := range chosen {
		r := b.records[id]
		if r.reserved {
			b.take(r, slotReserved)
		} else {
			b.take(r, slotOut)
		}
	}
	return chosen
}

// release frees a peer's slot. If it was open its next dial is soon, otherwise
// later with every failure.
func (b *book) release(id peer.ID, opened bool, now time.Time) {
	r := b.records[id]
	b.take(r, slotNone)
	r.seen = now
	if opened {
		r.failures = 0
	}
	r.failures++
	most := b.limits.RetryMax
	if r.reserved {
		most = min(most, retryMaxReserved)
	}
	wait := min(b.limits.RetryMin<<min(r.failures-1, 20), most)
	// Half of it is random, so that nodes that failed together do not return together.
	r.retry = now.Add(wait/2 + rand.N(wait/2+1))
}

// report changes a peer's reputation; banned says that it just fell too low.
// Reserved peers are never refused.
func (b *book) report(id peer.ID, change Reputation, now time.Time) (banned bool) {
	r := b.get(id, now)
	score := int64(r.standing(now)) + int64(change)
	r.score, r.scored = Reputation(min(max(score, math.MinInt32), maxReputation)), now
	if r.score > BanThreshold || r.reserved || r.banned.After(now) {
		return false
	}
	// When the ban is over the peer begins anew, but closer to the next.
	r.banned, r.score, r.scored = now.Add(b.limits.Ban), BanThreshold/2, now.Add(b.limits.Ban)
	return true
}

// standing is the reputation at a time.
func (r *record) standing(now time.Time) Reputation {
	age := max(now.Sub(r.scored), 0)
	return Reputation(float64(r.score) * math.Exp2(-float64(age)/float64(reputationHalfLife)))
}

// bucket lets through a rate, and a burst after silence.
type bucket struct {
	rate, burst int // a second; at most
	tokens      float64
	at          time.Time
}

func newBucket(rate, burst int, now time.Time) bucket {
	return bucket{rate: rate, burst: burst, tokens: float64(burst), at: now}
}

// take pays n, into debt if needed, unless there is debt already; then it returns
// how long that lasts.
func (t *bucket) take(n int, now time.Time) (wait time.Duration) {
	t.tokens = min(float64(t.burst), t.tokens+now.Sub(t.at).Seconds()*float64(t.rate))
	t.at = now
	if t.tokens < 0 {
		return time.Duration(-t.tokens/float64(t.rate)*float64(time.Second)) + time.Millisecond
	}
	t.tokens -= float64(n)
	return 0
}
