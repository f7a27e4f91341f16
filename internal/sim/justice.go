package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/types"
)

// maxImpunity is how long after somebody has proof of it a validator may go
// unpunished, in milliseconds: until a block holds the report, for the deferral, and
// until that is final.
const maxImpunity = 100_000

// justice watches, block by block of the final chain, what becomes of validators that
// sign twice: that they are taken out of the next election, and lose what their
// slashes say when the deferral is over, and that nobody else loses anything.
type justice struct {
	w       *world
	stashes []types.AccountID // by node
	caught  []proven

	active  types.EraIndex
	current types.EraIndex
	next    staking.SlashID // the first that was not seen yet
	bonds   []fixed.U128    // by node
	most    []fixed.U128    // that each had bonded at a time
	stands  []bool          // for election, by node
	waiting map[types.EraIndex][]staking.UnappliedSlash
	elected map[types.EraIndex][]types.AccountID
	slashed []int // by node
}

// proven is a proof that a node has of another having signed twice.
type proven struct {
	by, life, who int
	at            types.Moment
}

func (j *justice) init(w *world) error {
	n := len(w.network.Validators)
	*j = justice{w: w, bonds: make([]fixed.U128, n), most: make([]fixed.U128, n), stands: make([]bool, n), slashed: make([]int, n),
		waiting: map[types.EraIndex][]staking.UnappliedSlash{}, elected: map[types.EraIndex][]types.AccountID{}}
	for _, name := range w.network.Validators {
		stash, err := stashOf(name)
		if err != nil {
			return err
		}
		j.stashes = append(j.stashes, stash)
	}
	return nil
}

// catch notes that a node has proof.
func (j *justice) catch(by *node, who int) {
	j.caught = append(j.caught, proven{by.index, by.life, who, j.w.now})
}

// begin looks at the state that the chain begins with.
func (j *justice) begin(e *frame.Env) {
	p := runtime.PalletOf[*staking.Pallet](j.w.runtime)
	j.active, j.current, j.next = 0, p.CurrentEra.Get(e), 0
	clear(j.waiting)
	clear(j.slashed)
	for i, stash := range j.stashes {
		j.bonds[i], j.stands[i] = bondOf(p, e, stash), p.Validators.Exists(e, stash)
		j.most[i] = j.bonds[i]
	}
	for era := range j.current + 1 {
		j.elected[era] = p.CurrentElected.Get(e)
	}
}

func bondOf(p *staking.Pallet, e *frame.Env, stash types.AccountID) fixed.U128 {
	return p.Ledger.Get(e, p.Bonded.Get(e, stash)).Total
}

// block looks at the state after the next final block.
func (j *justice) block(e *frame.Env) error {
	p := runtime.PalletOf[*staking.Pallet](j.w.runtime)
	active := p.ActiveEra.Get(e).Index
	due := make([]fixed.U128, len(j.stashes))
	if active > j.active {
		j.active = active
		keep := active - min(active, p.SlashDeferDuration.Get())
		for era := range keep {
			for _, s := range j.waiting[era] {
				i := slices.Index(j.stashes, s.Validator)
				due[i] = due[i].AddSat(s.Own)
			}
			delete(j.waiting, era)
		}
		if got, want := sorted(runtime.PalletOf[*session.Pallet](j.w.runtime).ActiveValidators(e)), sorted(j.elected[active]); !slices.Equal(got, want) {
			return fmt.Errorf("%d validators act in era %d, and %d others were elected", len(got), active, len(want))
		}
	}
	for i := range j.stashes {
		if err := j.bond(e, i, due[i]); err != nil {
			return err
		}
	}
	if err := j.reports(e); err != nil {
		return err
	}
	if now := p.CurrentEra.Get(e); now > j.current {
		before := j.elected[j.current]
		j.current, j.elected[now] = now, p.CurrentElected.Get(e)
		for i, stash := range j.stashes { // who stood at the begin of the block: the block itself may report it
			if !j.stands[i] && slices.Contains(j.elected[now], stash) && !slices.Equal(j.elected[now], before) {
				return fmt.Errorf("node %d is elected for era %d and did not stand", i, now)
			}
		}
	}
	for i, stash := range j.stashes {
		j.stands[i] = p.Validators.Exists(e, stash)
	}
	return nil
}

// bond holds the bond of a node to what it must have lost.
func (j *justice) bond(e *frame.Env, i int, due fixed.U128) error {
	want := j.bonds[i].SubSat(due)
	if !runtime.PalletOf[*balances.Pallet](j.w.runtime).MinimumBalance().Less(want) {
		want = fixed.U128{} // dust goes along
	}
	got := bondOf(runtime.PalletOf[*staking.Pallet](j.w.runtime), e, j.stashes[i])
	if got != want {
		return fmt.Errorf("node %d has bonded %v in era %d; after a slash of %v it should be %v", i, got, j.active, due, want)
	}
	if got.Less(j.bonds[i]) {
		j.slashed[i]++
		j.w.result.Slashed++
	}
	j.bonds[i], j.most[i] = got, got.Max(j.most[i])
	return nil
}

// reports looks at slashes that are new.
func (j *justice) reports(e *frame.Env) error {
	p := runtime.PalletOf[*staking.Pallet](j.w.runtime)
	before := j.active - min(j.active, 1) // who was silent in a session is reported at its end
	j.waiting[before], j.waiting[j.active] = p.UnappliedSlashes.Get(e, before), p.UnappliedSlashes.Get(e, j.active)
	for _, s := range append(slices.Clone(j.waiting[before]), j.waiting[j.active]...) {
		if s.ID < j.next {
			continue
		}
		i := slices.Index(j.stashes, s.Validator)
		if i < 0 || j.w.nodes[i].honest() {
			return fmt.Errorf("node %d is to be slashed and is honest", i)
		}
		if j.stands[i] && p.Validators.Exists(e, s.Validator) {
			return fmt.Errorf("node %d is to be slashed and still stands for election", i)
		}
		if j.most[i].Less(s.Own) { // what is left may be less: slashes of before were taken since it was exposed
			return fmt.Errorf("node %d is to lose %v of %v", i, s.Own, j.most[i])
		}
		j.next = s.ID + 1
		j.w.result.Reported++
	}
	return nil
}

// end holds the whole run to it that nobody who was caught goes unpunished.
func (j *justice) end(e *frame.Env) error {
	authors := runtime.PalletOf[*session.Pallet](j.w.runtime).ActiveValidators(e)
	for _, c := range j.caught {
		by := j.w.nodes[c.by] // whose proof is lost with a crash, and whose blocks alone can hold its report
		if by.up && by.life == c.life && !by.mute() && slices.Contains(authors, j.stashes[c.by]) && j.slashed[c.who] == 0 && j.w.now > c.at+maxImpunity {
			return fmt.Errorf("node %d has proof since %v that node %d signed twice, which is not punished", c.by, milliseconds(c.at-start), c.who)
		}
	}
	return nil
}

func sorted(all []types.AccountID) []types.AccountID {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b types.AccountID) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// comeback lets a validator that was chilled stand for election again, when it has
// paid.
func (t *traffic) comeback(i int) (call frame.RuntimeCall, ok bool, err error) {
	best := t.best()
	if best == nil || t.w.plan.calm() {
		return call, false, nil
	}
	view, err := best.chain.ViewAt(best.chain.Heads().Finalised.Hash)
	if err != nil {
		return call, false, err
	}
	e, p, stash := t.w.runtime.Frame.NewEnv(view), runtime.PalletOf[*staking.Pallet](t.w.runtime), t.w.check.justice.stashes[i]
	if p.Validators.Exists(e, stash) {
		return call, false, nil
	}
	for _, all := range p.UnappliedSlashes.All(e) {
		if slices.ContainsFunc(all, func(s staking.UnappliedSlash) bool { return s.Validator == stash }) {
			return call, false, nil
		}
	}
	t.w.inject("setchange")
	call, err = t.w.runtime.Frame.NewRuntimeCall("Staking", "validate", &staking.ValidateArgs{})
	return call, true, err
}

// justly changes a genesis so that who signs twice can be punished, and in every
// other large network has somebody wait to take its seat. Others are invulnerable:
// they are down for longer than a chain lets pass.
func (w *world) justly(spec *chainspec.Spec) error {
	var g staking.Genesis
	if err := json.Unmarshal(spec.Genesis.Runtime["Staking"], &g); err != nil {
		return err
	}
	g.Invulnerables = nil
	for i, name := range w.network.Validators {
		stash, err := stashOf(name)
		if err != nil {
			return err
		}
		if !w.plan.twins[i] {
			g.Invulnerables = append(g.Invulnerables, stash)
		}
	}
	g.ValidatorCount = uint32(w.opt.seats())
	raw, err := json.Marshal(g)
	spec.Genesis.Runtime["Staking"] = raw
	return err
}

// stashOf is the account that a validator's bond is in.
func stashOf(name string) (types.AccountID, error) {
	pair, err := crypto.ParseURI("//"+name+"//stash", crypto.Sr25519)
	if err != nil {
		return types.AccountID{}, err
	}
	return pair.Account(), nil
}

// seats is how many validators are elected.
func (o *Options) seats() int {
	if o.Nodes >= 7 && o.Seed%2 == 1 {
		return o.Nodes - 1
	}
	return o.Nodes
}
