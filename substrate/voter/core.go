package voter

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// Keys are the node's GRANDPA keys; they may change at any time.
type Keys interface {
	GRANDPA() []grandpa.Key
}

// Core joins the machine of package grandpa to a chain and a database. It has no
// sockets, clock and goroutines: Voter gives it those, and a simulator others.
type Core struct {
	chain   *chain.Manager
	db      *store.DB
	keys    Keys
	cfg     grandpa.VoterConfig
	machine *grandpa.Voter
	tree    *tree
	cursor  chain.Cursor
	peers   []peer // in order of connection
}

type peer struct {
	id   types.PeerID
	role types.Role
}

// Names of the machine's records in the database.
const (
	auxVotes = "grandpa/votes"
	auxLast  = "grandpa/last-round"
)

// NewCore makes the core, which goes on where the records in db say.
func NewCore(m *chain.Manager, db *store.DB, keys Keys, now types.Moment, cfg grandpa.VoterConfig) (*Core, error) {
	c := &Core{chain: m, db: db, keys: keys, cfg: cfg}
	return c, c.restart(now)
}

// restart makes the machine anew, from the chain as it is and from what was
// signed.
func (c *Core) restart(now types.Moment) error {
	votes, err := c.db.Aux(auxVotes)
	if err != nil {
		return err
	}
	last, err := c.db.Aux(auxLast)
	if err != nil {
		return err
	}
	s := c.chain.Snapshot()
	if c.tree, err = newTree(c.chain, s); err != nil {
		return err
	}
	c.cursor = s.Cursor
	c.machine, err = grandpa.NewVoter(s.Voters, c.keys.GRANDPA(), grandpa.State{Votes: votes, Round: last}, c.tree, now, c.cfg)
	if err != nil {
		return fmt.Errorf("the voter's records: %w; a node that has lost them must not vote: remove the database and synchronise again with new session keys", err)
	}
	for _, p := range c.peers {
		c.machine.Connected(now, p.id, p.role)
	}
	return nil
}

// Connected adds a peer.
func (c *Core) Connected(now types.Moment, id types.PeerID, role types.Role) {
	c.peers = append(c.peers, peer{id, role})
	c.machine.Connected(now, id, role)
}

// Disconnected removes a peer.
func (c *Core) Disconnected(id types.PeerID) {
	c.peers = slices.DeleteFunc(c.peers, func(p peer) bool { return p.id == id })
	c.machine.Disconnected(id)
}

// Receive takes messages that have arrived.
func (c *Core) Receive(now types.Moment, batch []grandpa.Inbound) { c.machine.Receive(now, batch) }

// Tick says how late it is.
func (c *Core) Tick(now types.Moment) { c.machine.Tick(now) }

// Rounds describes the rounds in progress.
func (c *Core) Rounds() grandpa.RoundStates { return c.machine.State() }

// Followed takes over what has happened to the chain.
func (c *Core) Followed(now types.Moment) error {
	const step = 64
	imported := false
	var voters *grandpa.VoterSet
	for {
		ups, next, ok := c.chain.UpdatesSince(c.cursor, step)
		if !ok {
			return c.restart(now)
		}
		for i := range ups {
			u := &ups[i]
			if u.Imported != nil {
				imported = true
				if err := c.tree.insert(u.Imported); err != nil {
					return err
				}
			}
			if n := len(u.Finalised); n > 0 {
				voters = u.Voters
				if err := c.tree.finalise(u.Finalised[n-1].Hash); err != nil {
					return err
				}
			}
		}
		c.cursor = next
		if len(ups) < step {
			break
		}
	}
	if voters != nil {
		c.machine.SetKeys(c.keys.GRANDPA())
		c.machine.Finalised(now, voters)
	}
	if imported {
		c.machine.Imported(now)
	}
	return nil
}

// Act does what the machine wants done on this node, and returns what is to be
// sent and told, now that it may be.
func (c *Core) Act(now types.Moment) (grandpa.Ready, error) {
	var out grandpa.Ready
	for {
		r := c.machine.Ready()
		if err := c.save(r.Persist); err != nil {
			return out, err // nothing was sent
		}
		out.Send = append(out.Send, r.Send...)
		out.Announce = append(out.Announce, r.Announce...)
		out.Reports = append(out.Reports, r.Reports...)
		out.Equivocations = append(out.Equivocations, r.Equivocations...)
		out.Wake = r.Wake
		if len(r.Finalise) == 0 {
			return out, nil
		}
		for _, j := range r.Finalise {
			if _, err := c.chain.Finalise(scale.Encode(j)); err != nil && !errors.Is(err, chain.ErrNotDescendant) {
				return out, err
			}
		}
		if err := c.Followed(now); err != nil {
			return out, err
		}
	}
}

// save makes the machine's records durable.
func (c *Core) save(s grandpa.State) error {
	var ws []store.AuxWrite
	if s.Votes != nil {
		ws = append(ws, store.AuxWrite{Name: auxVotes, Value: s.Votes})
	}
	if s.Round != nil {
		ws = append(ws, store.AuxWrite{Name: auxLast, Value: s.Round})
	}
	if len(ws) == 0 {
		return nil
	}
	return c.db.PutAux(true, ws...)
}
