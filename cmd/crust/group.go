package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// newGroupCommand is `crust group`.
func newGroupCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Have storage nodes count for one owner",
		Long: `Have storage nodes count for one owner: what the members of a group prove together is the stake limit of its owner.

The owner, as a rule the stash of a validator, creates the group and allows accounts to join; each storage node joins with the key of its own account:

  crust group create --suri-file owner.key
  crust group allow MEMBER --suri-file owner.key
  crust group join OWNER --suri-file member.key

Who joins, quits or is put out counts differently from the next slot of reports on.`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newGroupCallCommand(g, groupCall{use: "create", short: "Create a group; signed by its owner, which cannot be a storage node", call: "create_group"}),
		newGroupCallCommand(g, groupCall{use: "allow MEMBER", short: "Let an account join; signed by the owner", call: "add_member_into_allowlist"}),
		newGroupCallCommand(g, groupCall{use: "disallow MEMBER", short: "Take that back, if it has not joined yet; signed by the owner", call: "remove_member_from_allowlist"}),
		newGroupCallCommand(g, groupCall{use: "join OWNER", short: "Join the group of an owner; signed by the storage node's account", call: "join_group"}),
		newGroupCallCommand(g, groupCall{use: "quit", short: "Leave the group; signed by the storage node's account", call: "quit_group"}),
		newGroupCallCommand(g, groupCall{use: "kick MEMBER", short: "Put a member out; signed by the owner", call: "kick_out"}),
		newGroupMembersCommand(g),
	)
	return cmd
}

// groupCall is a command that is one call, about one account or none.
type groupCall struct{ use, short, call string }

func newGroupCallCommand(g *globals, c groupCall) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{Use: c.use, Short: c.short}
	cmd.Args = cobra.ExactArgs(0)
	if cmd.Name() != c.use {
		cmd.Args = cobra.ExactArgs(1)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return g.act(cmd, &f, func(ctx context.Context, r *role) error {
			var call []any
			for _, text := range args {
				who, err := r.account(text)
				if err != nil {
					return err
				}
				call = append(call, who)
			}
			return r.send(ctx, "Swork", c.call, call...)
		})
	}
	f.add(cmd)
	return cmd
}

// member is how a storage node of a group stands.
type member struct {
	account types.AccountID
	has     bool // a worker
	record  proof.Record
	slot    uint64 // of its latest heartbeat
	missed  uint64 // slots since then
	failed  bool   // it missed an audit
}

// newGroupMembersCommand is `crust group members`.
func newGroupMembersCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "members OWNER", Short: "Show the storage nodes of a group, and who may join",
		Example: "  crust group members //Alice//stash",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.look(cmd.Context(), cmd, func(ctx context.Context, r *role) error {
				owner, err := r.account(args[0])
				if err != nil {
					return err
				}
				return r.members(ctx, owner)
			})
		},
	}
}

func (r *role) members(ctx context.Context, owner types.AccountID) error {
	at, err := r.client.BestHash(ctx) // all of one block
	if err != nil {
		return err
	}
	raw, ok, err := r.client.QueryRaw(ctx, at, "Swork", "Groups", owner)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s has no group; its owner makes one with `crust group create`", r.address(owner))
	}
	c := scale.NewCursor(raw)
	lists := [2][]types.AccountID{}
	for i := range lists {
		lists[i] = make([]types.AccountID, c.Len(32))
		for k := range lists[i] {
			c.Fixed(lists[i][k][:])
		}
	}
	if c.U32(); c.Finish() != nil {
		return fmt.Errorf("the group of %s: %w", r.address(owner), c.Err())
	}
	var all []member
	for _, who := range lists[0] {
		m, err := r.member(ctx, at, who)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	if r.json {
		return r.print(r.cmd, r.groupRecord(all, lists[1]))
	}
	return r.writeGroup(all, lists[1])
}

// member reads how the worker of an account stands.
func (r *role) member(ctx context.Context, at types.Hash, who types.AccountID) (m member, err error) {
	m.account = who
	raw, ok, err := r.client.QueryRaw(ctx, at, "Swork", "Records", who)
	if err != nil || !ok {
		return m, err
	}
	if err := scale.Decode(raw, &m.record); err != nil {
		return m, fmt.Errorf("the worker of %s: %w", r.address(who), err)
	}
	w, err := r.client.Query(ctx, at, "Swork", "Workers", metadata.Bytes(m.record.Lineage[:]))
	if err != nil {
		return m, err
	}
	m.has = true
	for name, into := range map[string]*uint64{"slot": &m.slot, "missed": &m.missed} {
		v, _ := metadata.Get(w, name)
		if b, ok := metadata.BigInt(v); ok {
			*into = b.Uint64()
		}
	}
	failed, _ := metadata.Get(w, "failed")
	m.failed, _ = failed.(bool)
	return m, nil
}

// state is a word for how it stands.
func (m *member) state() string {
	switch {
	case !m.has:
		return "no worker"
	case m.failed:
		return "suspended"
	case m.slot == 0:
		return "new"
	case m.missed > 0:
		return fmt.Sprintf("missed %d", m.missed)
	}
	return "reports"
}

func (r *role) writeGroup(all []member, allowed []types.AccountID) error {
	w := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEMBER\tSTATE\tLAST SLOT\tFREE SPACE\tFILES")
	for i := range all {
		m := &all[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", r.address(m.account), m.state(), m.slot, byteSize(m.record.Plan.Filler*proof.LeafSize), byteSize(m.record.FilesSize))
	}
	for _, who := range allowed {
		if !slices.ContainsFunc(all, func(m member) bool { return m.account == who }) {
			fmt.Fprintf(w, "%s\tmay join\t\t\t\n", r.address(who))
		}
	}
	return w.Flush()
}

func (r *role) groupRecord(all []member, allowed []types.AccountID) metadata.Value {
	members, may := metadata.List{}, metadata.List{}
	for i := range all {
		m := &all[i]
		members = append(members, metadata.Record{{Name: "account", Value: r.value(m.account)}, {Name: "state", Value: m.state()}, {Name: "slot", Value: m.slot},
			{Name: "missed", Value: m.missed}, {Name: "counter", Value: m.record.Counter}, {Name: "fillerBytes", Value: m.record.Plan.Filler * proof.LeafSize},
			{Name: "dataBytes", Value: m.record.Plan.Data * proof.LeafSize}, {Name: "filesBytes", Value: m.record.FilesSize}})
	}
	for _, who := range allowed {
		may = append(may, r.value(who))
	}
	return metadata.Record{{Name: "members", Value: members}, {Name: "allowed", Value: may}}
}

// byteSize writes a number of bytes for people.
func byteSize(n uint64) string {
	f, unit := float64(n), 0
	for ; f >= 1024 && unit < 5; unit++ {
		f /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit])
}

// groupHint says what to do about an error of the pallet of storage nodes.
func groupHint(err *metadata.DispatchError) string {
	if err == nil || err.Pallet != "Swork" {
		return ""
	}
	if hint := map[string]string{
		"AlreadyJoint":         "the account leaves its group with `crust group quit` first",
		"NotOwner":             "sign with the key of the group's owner, or make a group with `crust group create`",
		"GroupAlreadyExist":    "see who is in it with `crust group members`",
		"GroupOwnerForbidden":  "a storage node's account, or one that is in a group, cannot own one: use another account",
		"NotJoint":             "see who is in the group with `crust group members`",
		"NotInAllowlist":       "the owner allows the account first, with `crust group allow`",
		"ExceedGroupLimit":     "the group is full; the owner makes another with another account",
		"ExceedAllowlistLimit": "take accounts off the list with `crust group disallow`",
		"IdentityNotExist":     "start the storage node first: it registers its worker",
	}[err.Name]; hint != "" {
		return "; " + hint
	}
	return ""
}
