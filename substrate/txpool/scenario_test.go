package txpool

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/scenario"
	"github.com/crustgo/crust/substrate/types"
)

// TestScenarios plays testdata/*.txt: a command, a line ----, what it prints, an
// empty line. Lines that begin with # are the story.
func TestScenarios(t *testing.T) {
	scenario.Play(t, func(*testing.T) scenario.Run {
		s := &story{blocks: map[string]Block{}, names: map[types.Hash]string{}}
		s.configure(nil)
		return func(t *testing.T, words []string) string {
			out := s.run(t, words)
			if err := s.p.check(); err != nil {
				t.Fatalf("after %q: %v", words, err)
			}
			return out
		}
	})
}

type story struct {
	p      *Pool
	number types.BlockNumber
	blocks map[string]Block
	names  map[types.Hash]string
}

func (s *story) configure(args []string) {
	v := values(args)
	cfg := Config{Ready: Limit{v["ready"], 1 << 20}, Future: Limit{v["future"], 1 << 20}, PerSender: v["sender"],
		BanBlocks: uint64(v["ban"]), Bans: 10, RevalidateAfter: uint64(v["after"]), RevalidateMax: 2, FinalityBlocks: uint64(v["timeout"]), RememberBlocks: 3}
	for _, x := range []*int{&cfg.Ready.Count, &cfg.Future.Count, &cfg.PerSender} {
		if *x == 0 {
			*x = 10
		}
	}
	for _, x := range []*uint64{&cfg.BanBlocks, &cfg.RevalidateAfter, &cfg.FinalityBlocks} {
		if *x == 0 {
			*x = 100
		}
	}
	s.p = New(cfg)
}

// values reads arguments of the form name=number.
func values(args []string) map[string]int {
	v := map[string]int{}
	for _, a := range args {
		if name, num, ok := strings.Cut(a, "="); ok {
			v[name], _ = strconv.Atoi(num)
		}
	}
	return v
}

func (s *story) hash(name string) types.Hash {
	h := hashOf(name)
	s.names[h] = name
	return h
}

// run plays one command; transactions are called account/nonce, with a mark
// behind if there are several: a/3, a/3+.
func (s *story) run(t *testing.T, args []string) string {
	var out strings.Builder
	switch args[0] {
	case "pool":
		s.configure(args[1:])
	case "submit":
		where, err := s.p.Submit(s.tx(args[1:]), s.number)
		var e *Error
		if errors.As(err, &e) {
			fmt.Fprintf(&out, "error %d: %s\n", e.Code, strings.ReplaceAll(e.Error(), s.hash(args[1]).String(), args[1]))
		} else {
			fmt.Fprintln(&out, [...]string{"nowhere", "future", "ready"}[where])
		}
	case "revalidated":
		fmt.Fprintln(&out, [...]string{"nowhere", "future", "ready"}[s.p.Revalidated(s.tx(args[1:]), s.number)])
	case "reject":
		s.p.Reject(s.hash(args[1]))
	case "block", "reorg":
		s.change(&out, args)
	case "final":
		s.p.Finalised([]types.Hash{s.hash(args[1])})
	case "ready", "ready-skipping":
		offered := []string{}
		it := s.p.Iterate()
		for tx := it.Next(); tx != nil; tx = it.Next() {
			offered = append(offered, s.names[tx.Hash])
			if len(args) > 1 && s.names[tx.Hash] == args[1] {
				it.Skip()
			}
		}
		fmt.Fprintf(&out, "%d: %s\n", len(offered), strings.Join(offered, " "))
	case "status":
		st := s.p.Status()
		fmt.Fprintf(&out, "%d ready, %d future, %d banned\n", st.Ready.Count, st.Future.Count, st.Banned)
	default:
		t.Fatalf("unknown command %q", args)
	}
	for _, ev := range s.p.Events() {
		fmt.Fprintf(&out, "  %s %s", s.names[ev.Tx], ev.Kind)
		switch ev.Kind {
		case InBlock, Finalized:
			fmt.Fprintf(&out, " %s at %d", s.names[ev.Block], ev.Index)
		case Retracted, FinalityTimeout:
			fmt.Fprintf(&out, " %s", s.names[ev.Block])
		case Usurped:
			fmt.Fprintf(&out, " by %s", s.names[ev.Other])
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

// tx reads: name [chain=nonce of the account] [prio=n] [life=n] [watched] [back] [unsigned] [inherent] [tagless].
func (s *story) tx(args []string) Tx {
	v := values(args)
	account, nonce, _ := strings.Cut(strings.TrimRight(args[0], "+"), "/")
	n, _ := strconv.Atoi(nonce)
	tx := signed(account[0], types.Nonce(n), types.Nonce(v["chain"]), uint64(v["prio"]))
	tx.Hash = s.hash(args[0])
	if v["life"] > 0 {
		tx.Longevity = uint64(v["life"])
	}
	for _, a := range args[1:] {
		switch a {
		case "watched":
			tx.Watched = true
		case "back":
			tx.Back = true
		case "unsigned":
			tx.Signed = false
		case "inherent":
			tx.Mandatory = true
		case "tagless":
			tx.Provides = nil
		}
	}
	return tx
}

// change plays: block <name> <txs…>, or reorg <retracted blocks…> to <name> <txs…>.
func (s *story) change(out *strings.Builder, args []string) {
	var c Change
	args = args[1:]
	for i, a := range args {
		if a == "to" {
			for _, b := range args[:i] {
				c.Retracted = append(c.Retracted, s.blocks[b])
				s.number = s.blocks[b].Number - 1
			}
			args = args[i+1:]
			break
		}
	}
	s.number++
	b := Block{Hash: s.hash(args[0]), Number: s.number, Txs: []Included{{Hash: types.Hash{0xff}}}} // an inherent comes first
	for _, name := range args[1:] {
		tx := s.tx([]string{name})
		b.Txs = append(b.Txs, Included{Hash: tx.Hash, Provides: tx.Provides})
	}
	s.blocks[args[0]] = b
	c.Enacted = []Block{b}
	w := s.p.OnBlock(c)
	for _, h := range w.Revalidate {
		fmt.Fprintln(out, "validate again", s.names[h])
	}
	for _, h := range w.Resubmit {
		fmt.Fprintln(out, "submit again", s.names[h])
	}
}
