package balances_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/types"
)

// naive is the rules of balances as a person would write them down: small
// numbers, one map, no order of writes to care about.
type naive struct {
	acc      map[types.AccountID]*nAccount
	issuance uint64
}

type nAccount struct {
	free, reserved uint64
	locks          map[balances.LockID]nLock
	others         uint64 // consumers beside the locks
}

type nLock struct {
	amount uint64
	reason balances.Reasons
}

func (a *nAccount) total() uint64 { return a.free + a.reserved }
func (a *nAccount) exists() bool  { return a.total() > 0 }
func (a *nAccount) bound() bool   { return a.others > 0 || len(a.locks) > 0 }

func (a *nAccount) frozen(kind balances.Reasons) (n uint64) {
	for _, l := range a.locks {
		if kind == balances.All || l.reason == balances.All || l.reason == kind {
			n = max(n, l.amount)
		}
	}
	return n
}

// settle removes an account below the deposit and pays its dust to the pot.
func (m *naive) settle(who types.AccountID) {
	a := m.acc[who]
	if a.total() >= ed {
		return
	}
	dust := a.total()
	m.issuance -= dust
	a.free, a.reserved = 0, 0
	if dust > 0 {
		m.credit(pot, dust)
	}
}

func (m *naive) credit(who types.AccountID, n uint64) bool {
	a := m.acc[who]
	if !a.exists() && n < ed {
		return false
	}
	a.free += n
	m.issuance += n
	return true
}

func (m *naive) transfer(from, to types.AccountID, n uint64, keep bool) error {
	a, b := m.acc[from], m.acc[to]
	switch {
	case n == 0 || from == to:
		return nil
	case a.free < n:
		return balances.ErrInsufficientBalance
	case b.total()+n < ed:
		return balances.ErrExistentialDeposit
	case a.free-n < a.frozen(balances.Misc):
		return balances.ErrLiquidityRestrictions
	case a.free-n < ed && (keep || a.bound()):
		return balances.ErrExpendability
	}
	a.free -= n
	b.free += n
	m.settle(from)
	return nil
}

func (m *naive) withdraw(who types.AccountID, n uint64, kind balances.Reasons, keep bool) error {
	a := m.acc[who]
	switch {
	case n == 0:
		return nil
	case a.free < n:
		return balances.ErrInsufficientBalance
	case keep && a.total()-n < ed:
		return balances.ErrExpendability
	case a.free-n < a.frozen(kind):
		return balances.ErrLiquidityRestrictions
	case a.total()-n < ed && a.bound():
		return frame.ErrConsumerRemaining
	}
	a.free -= n
	m.issuance -= n
	m.settle(who)
	return nil
}

func (m *naive) slash(who types.AccountID, n uint64, free bool) uint64 {
	a := m.acc[who]
	take := func(n uint64) (f, r uint64) {
		if free {
			f = min(n, a.free)
		}
		return f, min(n-f, a.reserved)
	}
	f, r := take(n)
	if a.total()-f-r < ed && a.bound() {
		f, r = take(min(n, a.total()-ed))
	}
	a.free, a.reserved = a.free-f, a.reserved-r
	m.issuance -= f + r
	m.settle(who)
	return f + r
}

func (m *naive) reserve(who types.AccountID, n uint64) error {
	a := m.acc[who]
	switch {
	case n == 0:
		return nil
	case a.free < n:
		return balances.ErrInsufficientBalance
	case a.free-n < a.frozen(balances.Misc):
		return balances.ErrLiquidityRestrictions
	}
	a.free, a.reserved = a.free-n, a.reserved+n
	return nil
}

func (m *naive) repatriate(from, to types.AccountID, n uint64, reserved bool) (uint64, error) {
	a, b := m.acc[from], m.acc[to]
	moved := min(n, a.reserved)
	switch {
	case n == 0:
		return 0, nil
	case from != to && !b.exists():
		return n, balances.ErrDeadAccount
	case from != to && a.total()-moved < ed && a.bound() && a.exists():
		return n, frame.ErrConsumerRemaining
	}
	a.reserved -= moved
	if reserved {
		b.reserved += moved
	} else {
		b.free += moved
	}
	m.settle(from)
	return n - moved, nil
}

func (m *naive) lock(who types.AccountID, id balances.LockID, l nLock) error {
	a := m.acc[who]
	if l.amount == 0 {
		return nil
	}
	if !a.exists() {
		return frame.ErrNoProviders
	}
	a.locks[id] = l
	return nil
}

func (m *naive) extend(who types.AccountID, id balances.LockID, l nLock) error {
	if old, ok := m.acc[who].locks[id]; ok && l.amount > 0 {
		l.amount = max(l.amount, old.amount)
		if l.reason != old.reason {
			l.reason = balances.All
		}
	}
	return m.lock(who, id, l)
}

func (m *naive) state(who types.AccountID) account {
	a := m.acc[who]
	consumers := a.others
	if len(a.locks) > 0 {
		consumers++
	}
	return account{a.free, a.reserved, a.frozen(balances.All), consumers}
}

func TestAgainstModel(t *testing.T) {
	everybody := []types.AccountID{alice, bob, carol, pot}
	rapid.Check(t, func(r *rapid.T) {
		c, p := newChain(t)
		m := &naive{acc: map[types.AccountID]*nAccount{}}
		for _, who := range everybody {
			m.acc[who] = &nAccount{locks: map[balances.LockID]nLock{}}
		}
		e := c.Runtime.Begin(c.State, c.Header())
		anybody := rapid.SampledFrom(everybody)
		amounts := rapid.OneOf(rapid.Uint64Range(0, 15), rapid.Uint64Range(0, 300))
		for range 60 {
			who, to, n := anybody.Draw(r, "who"), anybody.Draw(r, "to"), amounts.Draw(r, "n")
			if rapid.IntRange(0, 2).Draw(r, "near") == 0 { // just about everything
				n = m.acc[who].total() - min(m.acc[who].total(), n%12)
			}
			flag := rapid.Bool().Draw(r, "flag")
			reason := balances.Reasons(rapid.IntRange(0, 2).Draw(r, "reason"))
			id := rapid.SampledFrom([]balances.LockID{lockA, lockB}).Draw(r, "lock")
			var got, want error
			var gotN, wantN uint64
			num := func(b frame.Balance) uint64 { v, _ := b.Uint64(); return v }
			op := rapid.SampledFrom([]string{"transfer", "withdraw", "fee", "deposit", "create", "slash", "slash reserved", "reserve",
				"unreserve", "repatriate", "lock", "extend", "unlock", "hold", "release", "new block"}).Draw(r, "op")
			switch op {
			case "transfer":
				got, want = p.Transfer(e, who, to, u(n), flag), m.transfer(who, to, n, flag)
			case "withdraw":
				got, want = p.Withdraw(e, who, u(n), flag), m.withdraw(who, n, balances.Misc, flag)
			case "fee":
				kind := balances.Fee
				if flag {
					kind = balances.All
				}
				could := p.CanWithdrawFee(e, who, u(n), flag)
				got, want = p.WithdrawFee(e, who, u(n), flag), m.withdraw(who, n, kind, true)
				if !errors.Is(could, want) {
					r.Fatalf("a fee of %d is possible: %v, want %v", n, could, want)
				}
			case "deposit":
				got = p.DepositExisting(e, who, u(n))
				if a := m.acc[who]; n > 0 && !a.exists() {
					want = balances.ErrDeadAccount
				} else {
					m.credit(who, n)
				}
			case "create":
				gotN = num(p.DepositCreating(e, who, u(n)))
				if m.credit(who, n) {
					wantN = n
				}
			case "slash":
				gotN, wantN = num(p.Slash(e, who, u(n))), m.slash(who, n, true)
			case "slash reserved":
				gotN, wantN = num(p.SlashReserved(e, who, u(n))), m.slash(who, n, false)
			case "reserve":
				got, want = p.Reserve(e, who, u(n)), m.reserve(who, n)
			case "unreserve":
				a := m.acc[who]
				moved := min(a.reserved, n)
				a.reserved, a.free, wantN = a.reserved-moved, a.free+moved, n-moved
				gotN = num(p.Unreserve(e, who, u(n)))
			case "repatriate":
				var missing frame.Balance
				missing, got = p.RepatriateReserved(e, who, to, u(n), flag)
				gotN = num(missing)
				wantN, want = m.repatriate(who, to, n, flag)
			case "lock":
				got, want = p.SetLockFor(e, id, who, u(n), reason), m.lock(who, id, nLock{n, reason})
			case "extend":
				got, want = p.ExtendLock(e, id, who, u(n), reason), m.extend(who, id, nLock{n, reason})
			case "unlock":
				p.RemoveLock(e, id, who)
				delete(m.acc[who].locks, id)
			case "hold":
				got = p.Accounts.IncConsumers(e, who)
				if a := m.acc[who]; a.exists() {
					a.others++
				} else {
					want = frame.ErrNoProviders
				}
			case "release":
				if a := m.acc[who]; a.others > 0 {
					a.others--
					p.Accounts.DecConsumers(e, who)
				}
			case "new block":
				c.State.Apply(c.Runtime.End(e).Changes)
				c.Number++
				e = c.Runtime.Begin(c.State, c.Header())
			}
			if !errors.Is(got, want) || gotN != wantN {
				r.Fatalf("%s %x %x %d %v %v: got %v, %d; want %v, %d", op, who[0], to[0], n, flag, reason, got, gotN, want, wantN)
			}
			for _, x := range everybody {
				if diff := cmp.Diff(m.state(x), stateOf(e, p, x)); diff != "" {
					r.Fatalf("after %s %x %x %d %v: account %x:\n%s", op, who[0], to[0], n, flag, x[0], diff)
				}
			}
			if p.Issuance(e) != u(m.issuance) {
				r.Fatalf("after %s: issuance %v, want %d", op, p.Issuance(e), m.issuance)
			}
			if err := p.Check(e); err != nil {
				r.Fatalf("after %s %x %x %d %v: %v", op, who[0], to[0], n, flag, err)
			}
		}
	})
}
