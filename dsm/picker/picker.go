package picker

import (
	"container/heap"
	"iter"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// Config says whose picker it is, and what it takes. Blocks are numbers of blocks.
type Config struct {
	Owner  types.AccountID // of the group; the member itself if it is in none
	Member types.AccountID

	Target   int    // groups that take an order at once, and replicas that are enough
	Patience uint32 // blocks that each further Target of groups, or member of a group, waits
	Retry    uint32 // blocks until the first attempt after one that failed; each wait is twice the one before
	Attempts int    // after which an order is given up
	Parallel int    // fetches at the same time

	MaxSize uint64              // of an order, in bytes; 0 for any
	Refuse  map[string]struct{} // CIDs that are never taken
	Take    map[string]struct{} // CIDs that are taken at once, whoever else does
}

// Default is the picker of a member of a group, for a network with report slots of so
// many blocks.
func Default(owner, member types.AccountID, reportSlot uint32) Config {
	return Config{Owner: owner, Member: member, Target: 20, Patience: 2 * reportSlot, Retry: max(reportSlot/10, 1), Attempts: 8, Parallel: 8}
}

// Group is a group of storage nodes.
type Group struct {
	Owner   types.AccountID
	Weight  uint64 // counted free space, in bytes
	Members []Member
}

// Member is one of its nodes.
type Member struct {
	Account types.AccountID
	Weight  uint64
}

// Order is an order as the chain has it.
type Order struct {
	CID      string     // canonical text
	Seed     types.Hash // hash of the block after it; zero while that is not known
	Size     uint64     // bytes ordered
	Replicas uint32     // reported
	Block    uint32     // from which the groups' waits count: that of the order, or of what changed
}

// Kind says what to do.
type Kind uint8

// What there is to do.
const (
	Fetch  Kind = iota // fetch the file and seal it
	Cancel             // stop the fetch: nobody wants the file any more
	Delete             // give up the file: its order is gone
)

// Action is something to do.
type Action struct {
	Kind Kind
	CID  string
	Size uint64 // bytes that the order allows, of Fetch
}

// Result says what became of a fetch.
type Result uint8

// The results.
const (
	Fetched Result = iota // sealed: the file is held
	Later                 // no source, no time, no room: worth another attempt
	Never                 // it cannot be stored: too large for its order, or not storable at all
)

// state is how far an order is.
type state uint8

const (
	waiting  state = iota // until its block has come
	fetching              // until Ended
	held
	idle  // not wanted now: until the order changes
	given // up: until the order allows more
)

type task struct {
	Order
	state    state
	due      uint32 // block of the next decision, while waiting
	failed   int    // attempts
	urgent   bool   // taken whoever else has it
	canceled bool
}

// Machine is the picker. It belongs to one goroutine.
type Machine struct {
	cfg    Config
	groups []Group
	tasks  map[string]*task
	queue  queue
	leave  []Action
	active int
}

// queue has the tasks that wait, the next one due first. One that was replaced, or
// does not wait any more, is skipped when its turn comes.
type queue []*task

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	return q[i].due < q[j].due || q[i].due == q[j].due && q[i].CID < q[j].CID
}
func (q *queue) Push(t any) { *q = append(*q, t.(*task)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	*q = (*q)[:last]
	return t
}

// New returns a picker that knows no orders.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, tasks: map[string]*task{}} }

// Groups replaces what is known of the groups. Orders that wait keep their places.
func (m *Machine) Groups(groups []Group) { m.groups = groups }

// Move puts the member into the group of another owner. Orders that wait keep their places.
func (m *Machine) Move(owner types.AccountID) { m.cfg.Owner = owner }

// Held says that a file is held already, as after a restart.
func (m *Machine) Held(cid string) { m.tasks[cid] = &task{Order: Order{CID: cid}, state: held} }

// Holds reports whether the machine takes a file for held.
func (m *Machine) Holds(cid string) bool {
	t, ok := m.tasks[cid]
	return ok && t.state == held
}

// Lost says that a file is held no more, although its order stands: the next Order
// decides anew.
func (m *Machine) Lost(cid string) {
	if m.Holds(cid) {
		delete(m.tasks, cid)
	}
}

// Order tells of an order that was placed or has changed: of its size, its seed or its replicas.
func (m *Machine) Order(o Order) {
	was, ok := m.tasks[o.CID]
	switch {
	case ok && (was.state == fetching || was.state == held):
		was.Order = o
		return
	case ok && was.state == given && o.Size <= was.Size:
		return // what made it impossible has not changed
	}
	_, take := m.cfg.Take[o.CID]
	_, refuse := m.cfg.Refuse[o.CID]
	t := &task{Order: o, urgent: take}
	m.tasks[o.CID] = t
	if refuse || !take && m.cfg.MaxSize > 0 && o.Size > m.cfg.MaxSize {
		t.state = given
		return
	}
	if o.Seed == (types.Hash{}) && !take {
		return // its rank is not known; the order is told again when it is
	}
	m.wait(t, o.Block+m.patience(t))
}

// patience is how many blocks after an order it is our turn.
func (m *Machine) patience(t *task) uint32 {
	if t.urgent {
		return 0
	}
	var weight uint64
	var members []Member
	for i := range m.groups {
		if g := &m.groups[i]; g.Owner == m.cfg.Owner {
			weight, members = g.Weight, g.Members
		}
	}
	groups := func(yield func(types.AccountID, uint64) bool) {
		for i := range m.groups {
			if !yield(m.groups[i].Owner, m.groups[i].Weight) {
				return
			}
		}
	}
	turn := place(t.Seed, t.CID, m.cfg.Owner, weight, groups) / max(m.cfg.Target, 1)
	turn += place(t.Seed, t.CID, m.cfg.Member, weightOf(members, m.cfg.Member), all(members))
	return uint32(turn) * m.cfg.Patience
}

func weightOf(members []Member, who types.AccountID) uint64 {
	for _, m := range members {
		if m.Account == who {
			return m.Weight
		}
	}
	return 0
}

func all(members []Member) iter.Seq2[types.AccountID, uint64] {
	return func(yield func(types.AccountID, uint64) bool) {
		for _, m := range members {
			if !yield(m.Account, m.Weight) {
				return
			}
		}
	}
}

// wait queues a task for a block.
func (m *Machine) wait(t *task, due uint32) {
	t.state, t.due = waiting, due
	heap.Push(&m.queue, t)
}

// Gone says that an order has ended: expired, closed or cancelled.
func (m *Machine) Gone(cid string) {
	t, ok := m.tasks[cid]
	if !ok {
		return
	}
	switch t.state {
	case held:
		m.leave = append(m.leave, Action{Kind: Delete, CID: cid})
		delete(m.tasks, cid)
	case fetching:
		if !t.canceled {
			t.canceled = true
			m.leave = append(m.leave, Action{Kind: Cancel, CID: cid})
		}
	default:
		delete(m.tasks, cid) // what is queued of it is skipped
	}
}

// Ended says what became of a fetch, at a block.
func (m *Machine) Ended(cid string, r Result, block uint32) {
	t, ok := m.tasks[cid]
	if !ok || t.state != fetching {
		return
	}
	m.active--
	m.leave = slices.DeleteFunc(m.leave, func(a Action) bool { return a == Action{Kind: Cancel, CID: cid} }) // it has ended
	switch {
	case t.canceled && r == Fetched:
		m.leave = append(m.leave, Action{Kind: Delete, CID: cid})
		fallthrough
	case t.canceled:
		delete(m.tasks, cid)
	case r == Fetched:
		t.state = held
	case r == Never:
		t.state = given
	default:
		if t.failed++; t.failed >= m.cfg.Attempts {
			t.state = idle
			return
		}
		m.wait(t, block+m.cfg.Retry<<min(t.failed-1, 10))
	}
}

// Next says what to do now, at a block, with so many bytes of room. What Fetch names
// is being fetched until Ended.
func (m *Machine) Next(block uint32, free uint64) []Action {
	out := m.leave
	m.leave = nil
	for _, t := range m.tasks { //arch:allow maprange a sum
		if t.state == fetching {
			free -= min(free, t.Size)
		}
	}
	var later []*task
	for len(m.queue) > 0 && m.queue[0].due <= block && m.active < m.cfg.Parallel {
		t := heap.Pop(&m.queue).(*task)
		switch {
		case t.state != waiting || m.tasks[t.CID] != t:
		case !t.urgent && t.Replicas >= uint32(m.cfg.Target):
			t.state = idle // others have it; the order is told again when one of them has lost it
		case t.Size > free:
			later = append(later, t) // a smaller one may fit
		default:
			t.state = fetching
			m.active++
			free -= t.Size
			out = append(out, Action{Kind: Fetch, CID: t.CID, Size: t.Size})
		}
	}
	for _, t := range later {
		m.wait(t, block+m.cfg.Retry)
	}
	return out
}

// Active is how many files are being fetched.
func (m *Machine) Active() int { return m.active }
