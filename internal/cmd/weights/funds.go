package main

import (
	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
)

// cuts is how many cuts of a fund wait, of the 16 that may.
const cuts = 15

// funded gives somebody both funds, with cuts that can be withdrawn.
func funded(w *world, e *frame.Env) {
	for _, which := range []benefits.FundsType{benefits.Swork, benefits.Market} {
		mustDo(w, e, "Benefits", alice, "add_benefit_funds", &benefits.FundsArgs{Value: fixed.FromUint64((cuts + 2) * runtime.CRU), FundsType: which})
		for range cuts {
			mustDo(w, e, "Benefits", alice, "cut_benefit_funds", &benefits.FundsArgs{Value: someCoin, FundsType: which})
		}
	}
	b := w.pallets.Benefits.CurrentBenefits.Get(e)
	b.ActiveEra = 1000
	w.pallets.Benefits.CurrentBenefits.Put(e, b)
}

// funds lists what is measured of benefits, of the fund that costs more.
func funds() []field {
	by := frame.Signed(alice)
	one := &benefits.FundsArgs{Value: someCoin, FundsType: benefits.Market}
	all := &benefits.FundsArgs{Value: fixed.Max128(), FundsType: benefits.Market}
	return []field{
		{name: "add", setup: staged(funded, call(by, "Benefits", "add_benefit_funds", one))},
		{name: "cut", setup: staged(funded, call(by, "Benefits", "cut_benefit_funds", one))},
		{name: "withdraw", setup: staged(funded, call(by, "Benefits", "withdraw_benefit_funds", &frame.NoArgs{}))},
		{name: "rebond", setup: staged(funded, call(by, "Benefits", "rebond_benefit_funds", all))},
	}
}
