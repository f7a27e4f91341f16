package shell

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// TestCheckRow checks rows of headers of which one is wrong: the blocks before
// it are good, the error names it, and what follows is not looked at.
func TestCheckRow(t *testing.T) {
	net := chaintest.New(t, nil)
	source := net.Start(t)
	const blocks, wrong = 45, 30 // two changes of epoch
	row := make([]*types.Block, blocks)
	for i := range row {
		row[i] = source.Make(chaintest.Plan{})
		source.Take(row[i])
	}
	flip := func(kind types.DigestKind, at int) func(*types.Header) {
		return func(h *types.Header) {
			for i, item := range h.Digest {
				if item.Kind == kind {
					h.Digest[i].Data = append([]byte{}, item.Data...)
					h.Digest[i].Data[at] ^= 1
				}
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*types.Header)
		is    error
	}{
		"seal":  {flip(types.DigestSeal, 3), babe.ErrSeal},
		"proof": {flip(types.DigestPreRuntime, 1+4+8+32+5), babe.ErrVRF},
		"slot":  {flip(types.DigestPreRuntime, 1+4+7), babe.ErrFuture},
		"link":  {func(h *types.Header) { h.ParentHash[0] ^= 1 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := net.Start(t)
			spoilt := append([]*types.Block{}, row...)
			b := *row[wrong]
			b.Header.Digest = append(types.Digest{}, b.Header.Digest...)
			c.spoil(&b.Header)
			spoilt[wrong] = &b
			checked, err := n.Check(spoilt, nil)
			if len(checked) != wrong || err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("%d blocks are good, then %v", len(checked), err)
			}
			for _, c := range checked {
				if _, err := n.ImportChecked(c); err != nil {
					t.Fatal(err)
				}
			}
			rest, err := n.Check(row[wrong:], &checked[wrong-1])
			if err != nil || len(rest) != blocks-wrong {
				t.Fatalf("%d of the others are good: %v", len(rest), err)
			}
			if _, err := n.ImportChecked(rest[1]); !errors.Is(err, chain.ErrUnknownParent) {
				t.Errorf("a block without its parent: %v", err)
			}
			for _, c := range rest {
				if _, err := n.ImportChecked(c); err != nil {
					t.Fatal(err)
				}
			}
			if n.Heads().Best != source.Heads().Best {
				t.Error(n.Describe())
			}
		})
	}
}
