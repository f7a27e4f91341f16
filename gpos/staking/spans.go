package staking

import (
	"iter"
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// SlashingSpans are the slashing spans of a stash: stretches of eras of which the
// last is open. Within a span only the highest slash counts; an offence in the
// open span ends it, so that what is done afterwards is punished on top.
type SlashingSpans struct {
	SpanIndex        uint32         // of the open span
	LastStart        types.EraIndex // first era of the open span
	LastNonzeroSlash types.EraIndex // last era for which something was slashed
	Prior            []uint32       // lengths of the spans before, the latest first
}

// SCALEPath names the type for clients.
func (SlashingSpans) SCALEPath() string { return "pallet_staking::slashing::SlashingSpans" }

// SpanRecord is what was slashed in a span.
type SpanRecord struct {
	Slashed Balance
	PaidOut Balance // of it, to reporters
}

// SCALEPath names the type for clients.
func (SpanRecord) SCALEPath() string { return "pallet_staking::slashing::SpanRecord" }

// span is a slashing span; open spans have no length.
type span struct {
	index  uint32
	start  types.EraIndex
	length uint32
	open   bool
}

func (s span) contains(era types.EraIndex) bool {
	return s.start <= era && (s.open || uint32(era-s.start) < s.length)
}

// all visits the spans, the latest first.
func (s *SlashingSpans) all() iter.Seq[span] {
	return func(yield func(span) bool) {
		x := span{index: s.SpanIndex, start: s.LastStart, open: true}
		if !yield(x) {
			return
		}
		for _, n := range s.Prior {
			x = span{index: x.index - 1, start: x.start - types.EraIndex(n), length: n}
			if !yield(x) {
				return
			}
		}
	}
}

// at is the span that an era lies in.
func (s *SlashingSpans) at(era types.EraIndex) (span, bool) {
	for x := range s.all() {
		if x.contains(era) {
			return x, true
		}
	}
	return span{}, false
}

// end ends the open span with an era, and reports whether it did: not if it
// begins after it.
func (s *SlashingSpans) end(now types.EraIndex) bool {
	next := now + 1
	if next <= s.LastStart {
		return false
	}
	s.Prior = slices.Insert(slices.Clone(s.Prior), 0, uint32(next-s.LastStart))
	s.LastStart = next
	s.SpanIndex++
	return true
}

// prune drops the spans that ended before an era, and returns the indices of those
// it dropped: from first to one before end.
func (s *SlashingSpans) prune(window types.EraIndex) (first, end uint32) {
	end = s.SpanIndex - uint32(len(s.Prior))
	first = end
	kept := 0
	for x := range s.all() {
		if x.open {
			continue
		}
		if x.start+types.EraIndex(x.length) <= window {
			s.Prior = s.Prior[:kept]
			end = s.SpanIndex - uint32(kept)
			break
		}
		kept++
	}
	s.LastStart = max(s.LastStart, window)
	return first, end
}

// spanEditor changes the spans of one stash.
type spanEditor struct {
	p       *Pallet
	e       *frame.Env
	stash   types.AccountID
	spans   SlashingSpans
	window  types.EraIndex // first era for which anything is still punished
	share   fixed.Perbill  // SlashRewardFraction
	changed bool
	slashed Balance // newly, by update
	payout  Balance // of it, to reporters
}

// editSpans opens the spans of a stash, and makes the first if it has none.
func (p *Pallet) editSpans(e *frame.Env, stash types.AccountID, window types.EraIndex) *spanEditor {
	spans, ok := p.SlashingSpans.Lookup(e, stash)
	if !ok {
		spans.LastStart = window
		p.SlashingSpans.Put(e, stash, spans)
	}
	return &spanEditor{p: p, e: e, stash: stash, spans: spans, window: window, share: p.SlashRewardFraction.Get(e)}
}

// update raises what is slashed in the span of an era to amount, if that is more
// than it is, and reports whether the era lies in the open span.
func (s *spanEditor) update(era types.EraIndex, amount Balance) (open bool) {
	at, ok := s.spans.at(era)
	if !ok {
		return false
	}
	key := spanKey{A: s.stash, B: at.index}
	record := s.p.SpanSlash.Get(s.e, key)
	if amount.Less(record.Slashed) {
		return at.open
	}
	if more := sub(amount, record.Slashed); !more.IsZero() {
		record.Slashed = amount
		s.slashed = s.slashed.AddSat(more)
		s.spans.LastNonzeroSlash = max(s.spans.LastNonzeroSlash, era)
		s.changed = true
	}
	const half fixed.Perbill = 500_000_000
	if reward := half.Mul(s.share.Mul(amount).SubSat(record.PaidOut)); !reward.IsZero() {
		record.PaidOut = record.PaidOut.AddSat(reward)
		s.payout = s.payout.AddSat(reward)
		s.changed = true
	}
	if s.changed {
		s.p.SpanSlash.Put(s.e, key, record)
	}
	return at.open
}

// end ends the open span with an era.
func (s *spanEditor) end(now types.EraIndex) {
	if s.spans.end(now) {
		s.changed = true
	}
}

// save stores the spans if they were changed, without those that are out of the window.
func (s *spanEditor) save() {
	if !s.changed {
		return
	}
	first, end := s.spans.prune(s.window)
	for i := first; i < end; i++ {
		s.p.SpanSlash.Kill(s.e, spanKey{A: s.stash, B: i})
	}
	s.p.SlashingSpans.Put(s.e, s.stash, s.spans)
}

// clearSpans forgets all spans of a stash.
func (p *Pallet) clearSpans(e *frame.Env, stash types.AccountID) {
	spans, ok := p.SlashingSpans.Lookup(e, stash)
	if !ok {
		return
	}
	for x := range spans.all() {
		p.SpanSlash.Kill(e, spanKey{A: stash, B: x.index})
	}
	p.SlashingSpans.Kill(e, stash)
}
