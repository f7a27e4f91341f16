package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/types"
)

// dialTimeout is how long an endpoint may take to answer.
const dialTimeout = 5 * time.Second

// lookChain reads what the chain knows of the roles.
func (f *Facts) lookChain(ctx context.Context, cfg *Config, c *client.Client, account string) {
	ctx, cancel := context.WithTimeout(ctx, 3*timeout)
	defer cancel()
	format := c.Format()
	if cfg.Has(StorageNode) {
		if who, err := accountOf(format, account); f.balance(ctx, c, StorageNode, who, err) {
			f.lookWorker(ctx, c, who)
		}
	}
	if cfg.Has(Gateway) {
		who, err := accountOf(format, cfg.Account)
		f.balance(ctx, c, Gateway, who, err)
	}
	if cfg.Has(Validator) {
		v, controller, err := cfg.Validator(ctx, c, cfg.Stash)
		if err != nil {
			v.Error = err.Error()
		} else {
			f.balance(ctx, c, Validator, controller, nil)
		}
		f.Validator = &v
	}
}

func accountOf(format metadata.Format, text string) (types.AccountID, error) {
	if text == "" {
		return types.AccountID{}, errors.New("its account is not known")
	}
	return format.ParseAccount(text)
}

// balance reads what an account has to pay with, unless it is not known, and says whether it is.
func (f *Facts) balance(ctx context.Context, c *client.Client, role Role, who types.AccountID, err error) bool {
	known := err == nil
	a := Account{Role: role, Address: address(c, who)}
	if err == nil {
		err = a.read(ctx, c, who)
	}
	if err != nil {
		a.Error = err.Error()
	}
	f.Accounts = append(f.Accounts, a)
	return known
}

func (a *Account) read(ctx context.Context, c *client.Client, who types.AccountID) error {
	v, err := c.Query(ctx, client.Best, "System", "Account", who)
	if err != nil {
		return err
	}
	free, _ := metadata.Get(v, "data", "free")
	var ok bool
	if a.Free, ok = metadata.BigInt(free); !ok {
		return errors.New("the chain does not tell its balance")
	}
	a.Deposit = new(big.Int)
	if v, err := c.Constant("Balances", "ExistentialDeposit"); err == nil {
		if n, ok := metadata.BigInt(v); ok {
			a.Deposit = n
		}
	}
	a.Fee = smallFee(ctx, c)
	return nil
}

// smallFee is what a transaction of 64 bytes would cost. It is signed by an account that
// everybody knows, and not sent. Nil if the chain does not tell.
func smallFee(ctx context.Context, c *client.Client) *big.Int {
	pair, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		return nil
	}
	xt, err := c.Sign(ctx, client.Tx{Pallet: "System", Call: "remark", Args: []any{make([]byte, 64)}}, pair, client.SignOptions{})
	if err != nil {
		return nil
	}
	info, err := c.Fee(ctx, xt)
	if err != nil {
		return nil
	}
	return info.Fee
}

func address(c *client.Client, who types.AccountID) string {
	return metadata.Account{ID: who, Prefix: c.Format().Prefix}.String()
}

// lookWorker reads how the chain sees a storage node.
func (f *Facts) lookWorker(ctx context.Context, c *client.Client, who types.AccountID) {
	w := &WorkerFacts{Account: address(c, who)}
	f.Worker = w
	if err := w.read(ctx, c, who); err != nil {
		w.Error = err.Error()
		return
	}
	for _, text := range w.Endpoint {
		if at, ok := tcp(text); ok {
			w.Dialled++
			if conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", at); err == nil {
				conn.Close()
				w.Reachable = append(w.Reachable, text)
			}
		}
	}
}

// read reads all of one block.
func (w *WorkerFacts) read(ctx context.Context, c *client.Client, who types.AccountID) error {
	if _, err := c.Metadata().Storage("Swork", "Workers"); err != nil {
		return errors.New("this chain has no storage nodes")
	}
	at, err := c.BestHash(ctx)
	if err != nil {
		return err
	}
	head, err := c.Header(ctx, at)
	if err != nil {
		return err
	}
	w.Number = uint32(head.Number)
	slot, _, err := client.QueryAs[swork.Slot](ctx, c, at, "Swork", "Slot")
	if err != nil {
		return err
	}
	w.Slot = slot.Start
	for name, into := range map[string]*uint32{"ReportSlot": &w.SlotBlocks, "Deadline": &w.Took} {
		n, ok := number(c.Constant("Swork", name))
		if !ok {
			return fmt.Errorf("the chain does not tell Swork.%s", name)
		}
		*into = uint32(n)
	}
	member, ok, err := client.QueryAs[swork.Member](ctx, c, at, "Swork", "Members", who)
	if err != nil {
		return err
	}
	if ok && member.Owner.Valid {
		w.Group = address(c, member.Owner.Value)
	}
	endpoint, ok, err := client.QueryAs[swork.Endpoint](ctx, c, at, "Swork", "Endpoints", who)
	if err != nil {
		return err
	}
	if ok {
		w.Endpoint = engine.Endpoint{Peer: endpoint.Peer, Addresses: endpoint.Addresses}.Texts()
	}
	record, ok, err := client.QueryAs[swork.Record](ctx, c, at, "Swork", "Records", who)
	if err != nil || !ok {
		return err
	}
	lineage := metadata.Bytes(record.Lineage[:])
	living, ok, err := client.QueryAs[swork.Worker](ctx, c, at, "Swork", "Workers", lineage)
	if err != nil {
		return err
	}
	w.Registered, w.Failed, w.Reported, w.Missed = ok, living.Failed, living.Slot, living.Missed
	audit, ok, err := client.QueryAs[swork.Audit](ctx, c, at, "Swork", "Audits", lineage)
	if ok {
		w.Audit = audit.Slot
	}
	return err
}

// tcp is the host and port of a multiaddress over TCP.
func tcp(text string) (string, bool) {
	p := strings.Split(text, "/") // "", ip4, host, tcp, port, …
	if len(p) < 5 || p[3] != "tcp" {
		return "", false
	}
	return net.JoinHostPort(p[2], p[4]), true
}
