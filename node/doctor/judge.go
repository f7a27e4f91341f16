package doctor

import (
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Level is how bad a finding is.
type Level string

// The levels. Something fails if the node cannot do its work, or is about to lose
// money or data.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line of the doctor's report.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // about it
}

// Bounds of what is well.
const (
	fewPeers     = 3
	finalityWarn = 20 // blocks between the best and the final one
	finalityFail = 100
	stillWarn    = 5 // slots without a block
	stillFail    = 20
	clockSlack   = 2 * time.Second // that a block may be ahead of this machine
	spaceFail    = 1 << 30         // bytes free below a base path
	spaceWarn    = 5 << 30
	feesFail     = 10 // small transactions that can be paid
	feesWarn     = 100
)

// Judge says what the facts come to, in an order to act by.
func Judge(f *Facts) []Finding {
	var r report
	r.node(f)
	for _, p := range f.Ports {
		if p.Error != "" {
			r.fail("port", "stop what uses it (ss -ltnup shows it), or choose another port", "%d, %s: %s", p.Number, p.What, p.Error)
		} else {
			r.ok("port", "%d is free, %s", p.Number, p.What)
		}
	}
	for i := range f.Folders {
		r.folder(&f.Folders[i])
	}
	r.secrets(f.Secrets)
	for i := range f.Accounts {
		r.account(f, &f.Accounts[i])
	}
	r.storage(f)
	r.worker(f)
	r.gateway(f)
	r.validator(f)
	return r.all
}

// Failed counts the findings that fail.
func Failed(all []Finding) (n int) {
	for _, f := range all {
		if f.Level == Fail {
			n++
		}
	}
	return n
}

// report collects findings.
type report struct{ all []Finding }

func (r *report) add(l Level, check, do, format string, args ...any) {
	r.all = append(r.all, Finding{check, l, fmt.Sprintf(format, args...), do})
}

func (r *report) ok(check, format string, args ...any)       { r.add(OK, check, "", format, args...) }
func (r *report) warn(check, do, format string, args ...any) { r.add(Warn, check, do, format, args...) }
func (r *report) fail(check, do, format string, args ...any) { r.add(Fail, check, do, format, args...) }

func (r *report) node(f *Facts) {
	n := f.Node
	switch {
	case n == nil:
		return
	case n.Error != "":
		r.fail("node", "start one with `crust node`, or name another with --url", "%s", n.Error)
		return
	case n.Halted != "":
		r.fail("node", "keep its data, restart it, and report the block if it halts again: blocks are executed the same way everywhere", "%s: %s", n.URL, n.Halted)
	default:
		r.ok("node", "%s at %s, %s", n.Chain, n.URL, n.Version)
	}
	switch {
	case n.Peers == 0 && n.WantsPeers:
		r.fail("peers", "open its peer-to-peer port to the outside, give --public-addr, and see that its --bootnodes are up", "none")
	case n.Peers < fewPeers && n.WantsPeers:
		r.warn("peers", "open its peer-to-peer port to the outside, or add --bootnodes", "%d", n.Peers)
	case !n.WantsPeers:
		r.ok("peers", "%d; it is a network of its own", n.Peers)
	default:
		r.ok("peers", "%d", n.Peers)
	}
	r.clock(f)
	if n.Syncing {
		r.warn("sync", "wait: storage nodes and gateways act on old blocks until it has caught up", "at block %d of %d", n.Best, n.Target)
	} else {
		r.ok("sync", "at block %d", n.Best)
	}
	const stands = "two thirds of the validators must be online: look at those you run, and at the peers of this node"
	switch lag := n.Best - min(n.Best, n.Final); {
	case n.Syncing: // finality follows in jumps
	case lag >= finalityFail:
		r.fail("finality", stands, "block %d, %d behind the best", n.Final, lag)
	case lag >= finalityWarn:
		r.warn("finality", stands, "block %d, %d behind the best", n.Final, lag)
	default:
		r.ok("finality", "block %d, %d behind the best", n.Final, lag)
	}
}

// clock compares this machine's with those of the authors: a block is never made
// ahead of its time.
func (r *report) clock(f *Facts) {
	n := f.Node
	if n.BestTime.IsZero() || n.Slot <= 0 {
		return // no block was made yet
	}
	age := f.Now.Sub(n.BestTime)
	switch {
	case age < -clockSlack:
		r.fail("clock", "set the time and keep it so, with chrony or systemd-timesyncd: blocks that come early are refused, and own ones are late", "%v behind that of the latest block", (-age).Round(time.Second))
	case n.Syncing: // old blocks are expected
	case age > stillFail*n.Slot:
		r.fail("clock", "see whether other nodes go on: if so, connect to them or set this machine's time; if not, too few validators are online", "no block for %v", age.Round(time.Second))
	case age > stillWarn*n.Slot:
		r.warn("clock", "look again soon; a few slots without a block happen", "no block for %v", age.Round(time.Second))
	default:
		r.ok("clock", "the latest block is %v old", max(age, 0).Round(100*time.Millisecond))
	}
}

func (r *report) folder(d *Folder) {
	what := "base path"
	if d.Disk {
		what = "disk"
	}
	switch {
	case d.Error != "" && d.Disk:
		r.fail(what, "mount it and see that the node's user may write there; until the slot's window for that comes, nothing is declared lost", "%s: %s", d.Path, d.Error)
	case d.Error != "":
		r.fail(what, "create it, or see that the node's user may write there", "%s: %s", d.Path, d.Error)
	case d.Failed != "":
		r.fail(what, "repair or replace it, and restart the storage node with what is left; what it held is declared lost", "%s: %s", d.Path, d.Failed)
	case d.Disk && d.Free <= d.Reserve:
		r.warn(what, "add a --disk; or, if other programs took the space, make room", "%s: %s free, of which %s stay so: nothing more is sealed there", d.Path, size(d.Free), size(d.Reserve))
	case !d.Disk && d.Free < spaceFail:
		r.fail(what, "make room or move it: a full disk stops the node", "%s: %s free", d.Path, size(d.Free))
	case !d.Disk && d.Free < spaceWarn:
		r.warn(what, "make room soon: a full disk stops the node", "%s: %s free", d.Path, size(d.Free))
	default:
		r.ok(what, "%s: %s free", d.Path, size(d.Free))
	}
}

func (r *report) secrets(all []Secret) {
	for _, s := range all {
		if s.Mode.Perm()&0o077 != 0 {
			r.fail("key", "run chmod 600 "+s.Path, "%s may be read by others (%v)", s.Path, s.Mode.Perm())
		}
	}
	if n := len(all); n > 0 {
		r.ok("keys", "%d files with keys were looked at", n)
	}
}

func (r *report) account(f *Facts, a *Account) {
	if a.Error != "" {
		r.warn("balance", "name the account with --account", "of the %s: %s", a.Role, a.Error)
		return
	}
	amount := func(n *big.Int) string { return f.Node.Format.FormatAmount(n) }
	spendable := new(big.Int).Sub(a.Free, a.Deposit)
	covers := func(fees int64) bool {
		if a.Fee == nil {
			return spendable.Sign() > 0
		}
		return spendable.Cmp(new(big.Int).Mul(a.Fee, big.NewInt(fees))) >= 0
	}
	const pay = "send it some: what it does is signed, and every signature costs a fee"
	switch {
	case !covers(feesFail):
		r.fail("balance", pay, "%s has %s", a.Address, amount(a.Free))
	case !covers(feesWarn):
		r.warn("balance", pay, "%s has %s, enough for fewer than %d transactions", a.Address, amount(a.Free), feesWarn)
	default:
		r.ok("balance", "%s has %s", a.Address, amount(a.Free))
	}
}

func (r *report) storage(f *Facts) {
	s := f.Storage
	switch {
	case s == nil:
		return
	case s.Error != "":
		r.fail("storage node", "start it with `crust storage`, or name its --api", "%s", s.Error)
		return
	case s.Trouble != "":
		r.warn("storage node", "it tries again with the next block; if this stays, its log says more", "%s: %s", s.URL, s.Trouble)
	default:
		r.ok("storage node", "%s", s.URL)
	}
	if f.Node != nil && f.Node.Error == "" {
		if f.Node.Kind == "Live" {
			r.fail("enclave", "a production network takes hardware enclaves only, which this version does not have", "dev, on a live network")
		} else {
			r.ok("enclave", "dev, which networks for development take")
		}
		if behind := f.Node.Best - min(f.Node.Best, s.Best); behind > finalityWarn {
			r.warn("storage node", "see in its log whether it reaches its --node-url", "%d blocks behind the chain node", behind)
		}
	}
	switch {
	case s.Complete < s.Target && s.Free == 0:
		r.warn("free space", "lower --srd, or add a --disk", "%s of %s sealed, and the disks are full", size(s.Complete), size(s.Target))
	case s.Complete < s.Target:
		r.ok("free space", "%s of %s sealed so far, %s proven", size(s.Complete), size(s.Target), size(s.Proven))
	default:
		r.ok("free space", "%s sealed, %s proven", size(s.Complete), size(s.Proven))
	}
}

func (r *report) worker(f *Facts) {
	w := f.Worker
	switch {
	case w == nil:
		return
	case w.Error != "":
		r.fail("registration", "ask a node of a Crust network, with --url", "%s", w.Error)
		return
	case !w.Registered:
		r.fail("registration", "start the storage node: it registers its worker; its log says why if it cannot", "%s has no worker", w.Account)
		return
	case w.Failed:
		r.fail("audits", "find out why the data could not be shown (disks, log), then start again with a new base path and --replace", "an audit was not answered: the worker counts no more")
	case w.Audit != 0:
		r.warn("audits", "keep the storage node running and its disks mounted: it answers by itself", "one of slot %d waits for its answer", w.Audit)
	default:
		r.ok("audits", "none waits")
	}
	r.report(w)
	if w.Group == "" {
		r.warn("group", "the owner runs `crust group allow`, and this account `crust group join OWNER`: without a group it counts for no validator and no merchant", "%s is in none", w.Account)
	} else {
		r.ok("group", "of %s", w.Group)
	}
	switch {
	case len(w.Endpoint) == 0:
		r.warn("endpoint", "start the storage node with a --swarm-addr, or --public-addr, that others can reach", "none is published: users cannot find what is stored here")
	case w.Dialled == 0:
		r.ok("endpoint", "%s, which was not tried: it is not over TCP", strings.Join(w.Endpoint, ", "))
	case len(w.Reachable) == 0:
		r.warn("endpoint", "open the port, or give the address by which others come in as --public-addr", "%s does not answer", strings.Join(w.Endpoint, ", "))
	default:
		r.ok("endpoint", "%s answers", strings.Join(w.Reachable, ", "))
	}
}

// report judges the latest heartbeat.
func (r *report) report(w *WorkerFacts) {
	late := w.Slot > 0 && w.Reported < w.Slot && w.Number > w.Slot+w.Took
	switch {
	case w.Slot == 0:
		r.ok("report", "the chain's first slot of reports has not begun")
	case w.Reported == 0:
		r.warn("report", "wait: the first one comes with the next slot, once the node is registered", "none yet")
	case w.Missed > 0 || late && w.Slot-w.Reported > w.SlotBlocks:
		r.fail("report", "see that the storage node runs and follows the chain: each missed slot costs free space its weight for a few slots, and many cost files", "latest in slot %d, %d slots ago", w.Reported, max(uint64(w.Missed), uint64(w.Slot-w.Reported)/uint64(max(w.SlotBlocks, 1))))
	case late:
		r.warn("report", "see in the storage node's log why; one missed slot is made good in a few slots", "slot %d has passed its deadline, and the latest one is in slot %d", w.Slot, w.Reported)
	default:
		r.ok("report", "latest in slot %d; the current one began at block %d", w.Reported, w.Slot)
	}
}

func (r *report) gateway(f *Facts) {
	g := f.Gateway
	switch {
	case g == nil:
	case g.Error != "":
		r.fail("gateway", "start it with `crust gateway`, or name it with --gateway", "%s", g.Error)
	case f.Node != nil && f.Node.Error == "" && g.Chain != f.Node.Chain:
		r.warn("gateway", "start it with the --node-url of the network that you mean", "%s is of %s, the chain node of %s", g.URL, g.Chain, f.Node.Chain)
	default:
		r.ok("gateway", "%s, %d IPFS peers", g.URL, g.Peers)
	}
}

func (r *report) validator(f *Facts) {
	v := f.Validator
	switch {
	case v == nil:
		return
	case v.Error != "":
		r.fail("validator", "bond first, with `crust validator bond`, or name the right --stash", "%s", v.Error)
		return
	}
	if f.Node != nil && !f.Node.Authority {
		r.fail("validator", "start the node with --validator", "the node at %s makes no blocks", f.Node.URL)
	}
	switch {
	case !v.Keys:
		r.fail("session keys", "run `crust validator set-keys`", "%s has filed none", v.Stash)
	case v.NodeSays && !v.NodeHas:
		r.fail("session keys", "name the validator's own node with --url, or file its keys with `crust validator set-keys`", "this node does not hold those of %s", v.Stash)
	case !v.NodeSays:
		r.warn("session keys", "ask at the node itself, where unsafe methods are answered", "filed; the node does not say whether it holds them")
	default:
		r.ok("session keys", "filed, and the node holds them")
	}
	r.election(v)
	if v.Slashes > 0 {
		r.fail("slashes", "see `crust validator status`, and what made the node misbehave: never run the same keys twice", "%d are due", v.Slashes)
	}
	if v.Payable > 0 {
		r.warn("rewards", "run `crust validator payout`", "of %d eras wait, the oldest until era %d", v.Payable, v.PayUntil)
	}
}

func (r *report) election(v *ValidatorFacts) {
	switch {
	case v.GuaranteesForOthers:
		r.fail("election", "a guarantor cannot validate: cut the guarantees with `crust guarantor cut`, or use another stash", "%s guarantees for others", v.Stash)
	case !v.Candidate && v.Validating:
		r.warn("election", "run `crust validator validate` to stand again", "validates until the era ends, and stands for election no more")
	case !v.Candidate:
		r.fail("election", "run `crust validator validate`", "%s does not stand", v.Stash)
	case !v.Limit:
		r.fail("election", "have storage nodes join the group and report; limits are recounted once a report slot", "the stake limit is 0: no stake counts")
	case !v.Effective:
		r.fail("election", "run `crust validator bond-more`", "nothing is at stake")
	case !v.Elected:
		r.warn("election", "more stake, or more storage if the limit is reached; see `crust validator status`", "others have more effective stake: candidates make no blocks")
	case v.Validating:
		r.ok("election", "validates, and would be elected again")
	default:
		r.ok("election", "would be elected; the next era shows")
	}
}

// size writes a number of bytes for people.
func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, unit := float64(n), 0
	for ; f >= 1024; unit++ {
		f /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}
