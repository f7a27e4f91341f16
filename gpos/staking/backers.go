package staking

import (
	"fmt"
	"iter"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Who guarantees for a stash is kept by stash, so that an election reads what
// stands behind a candidate in one piece. It says the same as Guarantors, turned
// around, and changes with it. A stash may have any number of guarantors, so they
// lie in pages of bounded size, in the order of compareHashed: the order in which
// Guarantors would be visited, which exposures have.

// maxBackers is how many guarantors a page holds; a fuller one is split in two.
const maxBackers = 128

// BackerPage is a page of guarantors of a stash.
type BackerPage struct {
	First types.AccountID // everybody on the page is this account or comes after it; so is nobody on the pages before
	Page  uint32          // number of the page
}

type pageKey = scale.Pair[types.AccountID, uint32]

// backersOf visits those who guarantee for a stash, in their order.
func (p *Pallet) backersOf(e *frame.Env, stash types.AccountID) iter.Seq[IndividualExposure] {
	return func(yield func(IndividualExposure) bool) {
		for _, page := range p.Backers.Get(e, stash) {
			for _, b := range p.BackerPages.Get(e, pageKey{A: stash, B: page.Page}) {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// findPage is the position of the page on which a guarantor is, or belongs.
func findPage(pages []BackerPage, who types.AccountID) int {
	i, found := slices.BinarySearchFunc(pages, who, func(pg BackerPage, who types.AccountID) int { return compareHashed(pg.First, who) })
	if !found && i > 0 {
		i--
	}
	return i
}

func findBacker(page []IndividualExposure, who types.AccountID) (int, bool) {
	return slices.BinarySearchFunc(page, who, func(b IndividualExposure, who types.AccountID) int { return compareHashed(b.Who, who) })
}

// putBacker notes how much a guarantor guarantees for a stash.
func (p *Pallet) putBacker(e *frame.Env, stash, guarantor types.AccountID, value Balance) {
	pages := p.Backers.Get(e, stash)
	entry := IndividualExposure{Who: guarantor, Value: value}
	if len(pages) == 0 {
		p.BackerPages.Put(e, pageKey{A: stash}, []IndividualExposure{entry})
		p.Backers.Put(e, stash, []BackerPage{{First: guarantor}})
		return
	}
	at := findPage(pages, guarantor)
	key := pageKey{A: stash, B: pages[at].Page}
	page := slices.Clone(p.BackerPages.Get(e, key))
	i, found := findBacker(page, guarantor)
	if found {
		page[i] = entry
		p.BackerPages.Put(e, key, page)
		return
	}
	page = slices.Insert(page, i, entry)
	if i > 0 && len(page) <= maxBackers {
		p.BackerPages.Put(e, key, page)
		return
	}
	pages = slices.Clone(pages)
	pages[at].First = page[0].Who
	if half := maxBackers / 2; len(page) > maxBackers {
		fresh := freePage(pages)
		p.BackerPages.Put(e, pageKey{A: stash, B: fresh}, slices.Clone(page[half:]))
		pages = slices.Insert(pages, at+1, BackerPage{First: page[half].Who, Page: fresh})
		page = page[:half]
	}
	p.BackerPages.Put(e, key, page)
	p.Backers.Put(e, stash, pages)
}

// freePage is a number that no page has.
func freePage(pages []BackerPage) (n uint32) {
	for _, pg := range pages {
		n = max(n, pg.Page+1)
	}
	return n
}

// dropBacker forgets what a guarantor guarantees for a stash.
func (p *Pallet) dropBacker(e *frame.Env, stash, guarantor types.AccountID) {
	pages := p.Backers.Get(e, stash)
	if len(pages) == 0 {
		return
	}
	at := findPage(pages, guarantor)
	key := pageKey{A: stash, B: pages[at].Page}
	page := p.BackerPages.Get(e, key)
	i, found := findBacker(page, guarantor)
	switch {
	case !found:
	case len(page) > 1:
		p.BackerPages.Put(e, key, slices.Delete(slices.Clone(page), i, i+1))
	case len(pages) > 1:
		p.BackerPages.Kill(e, key)
		p.Backers.Put(e, stash, slices.Delete(slices.Clone(pages), at, at+1))
	default:
		p.BackerPages.Kill(e, key)
		p.Backers.Kill(e, stash)
	}
}

// checkBackers verifies that the pages say what Guarantors says, in order.
func (p *Pallet) checkBackers(e *frame.Env) error {
	type edge struct{ stash, guarantor types.AccountID }
	said := map[edge]Balance{}
	for who, g := range p.Guarantors.All(e) {
		for _, t := range g.Targets {
			said[edge{t.Who, who}] = t.Value
		}
	}
	known := 0
	for stash, pages := range p.Backers.All(e) {
		var last *types.AccountID
		for i, pg := range pages {
			page := p.BackerPages.Get(e, pageKey{A: stash, B: pg.Page})
			if len(page) == 0 || len(page) > maxBackers || compareHashed(pg.First, page[0].Who) > 0 || findPage(pages, page[len(page)-1].Who) != i {
				return fmt.Errorf("page %d of the guarantors of %v is out of order", pg.Page, stash)
			}
			for _, b := range page {
				if last != nil && compareHashed(*last, b.Who) >= 0 {
					return fmt.Errorf("guarantor %v of %v is out of order", b.Who, stash)
				}
				last = &b.Who
				if v, ok := said[edge{stash, b.Who}]; !ok || v != b.Value {
					return fmt.Errorf("%v guarantees %v for %v, not %v", b.Who, v, stash, b.Value)
				}
				known++
			}
		}
	}
	if known != len(said) {
		return fmt.Errorf("%d guarantees are known by stash, there are %d", known, len(said))
	}
	pages := 0
	for range p.BackerPages.All(e) {
		pages++
	}
	for _, list := range p.Backers.All(e) {
		pages -= len(list)
	}
	if pages != 0 {
		return fmt.Errorf("%d pages of guarantors belong to nobody", pages)
	}
	return nil
}
