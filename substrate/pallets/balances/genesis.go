package balances

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	Balances []Endowment `json:"balances"` // free money of each account
}

// Endowment is an account's money at genesis; in JSON a pair of account and amount.
type Endowment struct {
	Account types.AccountID
	Amount  Balance
}

// MarshalJSON writes the pair.
func (n Endowment) MarshalJSON() ([]byte, error) { return json.Marshal([]any{n.Account, n.Amount}) }

// UnmarshalJSON reads the pair: the account as hex or SS58 address, the amount in
// plancks as a number or as text.
func (n *Endowment) UnmarshalJSON(b []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a balance is a pair of account and amount, not %d values", len(pair))
	}
	if err := json.Unmarshal(pair[0], &n.Account); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &n.Amount)
}

// NewGenesis returns the default configuration: nobody has anything.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis endows the accounts.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	ed := p.ExistentialDeposit.Get()
	if ed.IsZero() {
		return errors.New("the existential deposit must not be zero")
	}
	sum := p.TotalIssuance.Get(e)
	for _, n := range config.(*Genesis).Balances {
		info := p.Accounts.Get(e, n.Account)
		if info.Data != (system.AccountData{}) {
			return fmt.Errorf("account %v is endowed twice", n.Account)
		}
		if n.Amount.Less(ed) {
			return fmt.Errorf("account %v has %v, which is below the existential deposit of %v", n.Account, n.Amount, ed)
		}
		var ok bool
		if sum, ok = sum.Add(n.Amount); !ok {
			return errors.New("the balances sum to more than 128 bits can hold")
		}
		if _, err := p.write(e, n.Account, info, system.AccountData{Free: n.Amount}); err != nil {
			return err
		}
	}
	p.TotalIssuance.Put(e, sum)
	return nil
}

// Check verifies that the issuance is the sum of all balances, that nobody is
// below the existential deposit, and that what is frozen follows from the locks.
func (p *Pallet) Check(e *frame.Env) error {
	var sum Balance
	ed := p.ExistentialDeposit.Get()
	for who, a := range p.Accounts.Accounts(e) {
		t, ok := a.Data.Free.Add(a.Data.Reserved)
		var fits bool
		if sum, fits = sum.Add(t); !ok || !fits {
			return fmt.Errorf("the balance of %v overflows", who)
		}
		if a.Data == (system.AccountData{}) {
			continue // it exists for another reason
		}
		if t.Less(ed) {
			return fmt.Errorf("account %v holds %v, which is below the existential deposit of %v", who, t, ed)
		}
		if want := largest(p.Locks.Get(e, who)); want != a.Data.Frozen {
			return fmt.Errorf("account %v has %v frozen, its locks say %v", who, a.Data.Frozen, want)
		}
	}
	if issuance := p.TotalIssuance.Get(e); issuance != sum {
		return fmt.Errorf("the issuance is %v, the balances sum to %v", issuance, sum)
	}
	for who, locks := range p.Locks.All(e) {
		if len(locks) == 0 || len(locks) > int(p.MaxLocks.Get()) {
			return fmt.Errorf("account %v has %d locks", who, len(locks))
		}
		if p.Accounts.Get(e, who).Consumers == 0 {
			return fmt.Errorf("account %v has locks that do not keep it in existence", who)
		}
	}
	return nil
}
