package txpayment

import (
	"reflect"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// treasuryPercent is the treasury's share of fees and tips.
const treasuryPercent = 80

// Extension is the signed extension that charges fees; it comes after those of
// the system pallet.
func (p *Pallet) Extension() frame.Extension { return ChargeTransactionPayment{Pallet: p} }

// ChargeTransactionPayment takes the fee before dispatch and settles it after.
type ChargeTransactionPayment struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (ChargeTransactionPayment) Identifier() string { return "ChargeTransactionPayment" }

// SCALEPath names the extension's data for clients.
func (ChargeTransactionPayment) SCALEPath() string {
	return "pallet_transaction_payment::ChargeTransactionPayment"
}

// Extra is the type of the tip.
func (ChargeTransactionPayment) Extra() reflect.Type { return reflect.TypeFor[Balance]() }

// CompactExtra says that the tip is compact.
func (ChargeTransactionPayment) CompactExtra() bool { return true }

// DecodeExtra reads the tip.
func (ChargeTransactionPayment) DecodeExtra(c *scale.Cursor, t *frame.Tx) { t.Tip.DecodeCompact(c) }

// AppendExtra appends the tip.
func (ChargeTransactionPayment) AppendExtra(dst []byte, t *frame.Tx) []byte {
	return t.Tip.AppendCompact(dst)
}

// Validate refuses what the sender cannot pay, and ranks the rest by their tips.
func (c ChargeTransactionPayment) Validate(e *frame.Env, t *frame.Tx, v *frame.ValidTransaction) error {
	p := c.Pallet
	due := p.due(e, t)
	if p.Currency.CanWithdrawFee(e, t.Signer, due.BySender, !t.Tip.IsZero()) != nil {
		return frame.ErrPayment
	}
	v.Priority = addSat(v.Priority, p.priority(e, t, due.BySender.AddSat(due.ByOthers)))
	return nil
}

// Prepare takes the fee of the whole declared weight, and the tip.
func (c ChargeTransactionPayment) Prepare(e *frame.Env, t *frame.Tx) error {
	due := c.Pallet.due(e, t)
	if c.Pallet.Currency.WithdrawFee(e, t.Signer, due.BySender, !t.Tip.IsZero()) != nil {
		return frame.ErrPayment
	}
	e.Hold(due)
	return nil
}

// due is the most that an extrinsic can come to cost, with its tip, and who pays it.
func (p *Pallet) due(e *frame.Env, t *frame.Tx) (d frame.Deposited) {
	fee := p.Fee(e, t.Len(), t.Info.Weight, t.Info.Pays)
	if p.Waiver != nil && !fee.IsZero() {
		d.ByOthers = p.Waiver.Cover(e, t.Signer, t.Call, fee).Min(fee)
	}
	d.BySender = fee.SubSat(d.ByOthers).AddSat(t.Tip)
	return d
}

// Settle returns what the call did not use and distributes the rest. A sender
// that has ceased to exist gets nothing back.
func (c ChargeTransactionPayment) Settle(e *frame.Env, t *frame.Tx, used types.Weight, pays frame.Pays, _ error) error {
	held := e.Held()
	if held == (frame.Deposited{}) {
		return nil
	}
	p := c.Pallet
	fee := p.Fee(e, t.Len(), used, pays)
	covered := held.ByOthers.Min(fee)
	cost := fee.SubSat(covered).AddSat(t.Tip).Min(held.BySender)
	paid := cost
	if back := held.BySender.SubSat(cost); !back.IsZero() && p.Currency.DepositExisting(e, t.Signer, back) != nil {
		paid = held.BySender
	}
	tip := t.Tip.Min(paid)
	p.distribute(e, tip, paid.SubSat(tip).AddSat(covered))
	p.Emit(e, TransactionFeePaid{t.Signer, cost, t.Tip})
	return nil
}

// distribute gives the treasury its share of each part, and the author the rest.
func (p *Pallet) distribute(e *frame.Env, tip, fee Balance) {
	treasury := percent(tip).AddSat(percent(fee))
	author := tip.AddSat(fee).SubSat(treasury)
	who, ok := types.AccountID{}, false
	if p.Authors != nil {
		who, ok = p.Authors.BlockAuthor(e)
	}
	if !ok {
		treasury, author = treasury.AddSat(author), Balance{}
	}
	if p.Treasury != nil && !treasury.IsZero() {
		p.Treasury.Deposit(e, treasury)
	}
	if ok {
		p.Currency.DepositCreating(e, who, author)
	}
}

// percent is the treasury's share of a part, rounded down.
func percent(part Balance) Balance {
	n, ok := part.Mul64(treasuryPercent)
	if !ok {
		return part.MulDivSat(fixed.FromUint64(treasuryPercent), fixed.FromUint64(100))
	}
	q, _ := n.DivMod64(100)
	return q
}

// priority is the tip plus one, times the number of such extrinsics that fit into
// a block by weight or by length. Operational calls add their fee several times.
func (p *Pallet) priority(e *frame.Env, t *frame.Tx, fee Balance) uint64 {
	weights, length := e.Runtime().Limits()
	fit := fits(weights.MaxBlock.RefTime, t.Info.Weight.RefTime)
	fit = min(fit, fits(weights.MaxBlock.ProofSize, t.Info.Weight.ProofSize))
	fit = min(fit, fits(uint64(*length.Max.Of(t.Info.Class)), uint64(t.Len())))
	one := fixed.FromUint64(1)
	value := t.Tip.AddSat(one)
	if t.Info.Class == frame.Operational {
		value = value.AddSat(fee.MulSat(fixed.FromUint64(uint64(p.OperationalFeeMultiplier.Get()))))
	}
	return value.MulSat(fixed.FromUint64(fit)).Uint64Sat()
}

// fits is how many of each go into whole; everything is at least one, and no
// larger than whole.
func fits(whole, each uint64) uint64 { return max(whole, 1) / min(max(each, 1), max(whole, 1)) }

func addSat(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return ^uint64(0)
}
