package staking

import (
	"context"
	"fmt"
	"strings"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = fixed.U128

func cut(name string) (pallet, item string, ok bool) { return strings.Cut(name, ".") }

// read reads a storage item into the variable that into points to; ok is false, and
// the variable as it was, if the state holds no such value.
func (s *State) read(ctx context.Context, into any, name string, keys ...any) (ok bool, err error) {
	pallet, item, _ := cut(name)
	v, err := s.c.Query(ctx, s.at, pallet, item, keys...)
	if err != nil || v == nil {
		return false, err
	}
	return true, convert(v, into, name)
}

// all visits the entries of a storage map. key is a list of its keys, value is what
// a JSON decoder takes; both are given to visit as they are.
func (s *State) all(ctx context.Context, name string, visit func(keys []metadata.Value, value metadata.Value) error, keys ...any) error {
	pallet, item, _ := cut(name)
	for e, err := range s.c.QueryAll(ctx, s.at, pallet, item, keys...) {
		if err == nil {
			err = visit(e.Keys, e.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// call asks the runtime's StakingApi.
func (s *State) call(ctx context.Context, into any, method string, args ...any) error {
	v, err := s.c.Call(ctx, s.at, "StakingApi", method, args...)
	if err != nil {
		return err
	}
	return convert(v, into, "StakingApi_"+method)
}

// convert turns a value into a Go type by the names of its members.
func convert(v metadata.Value, into any, name string) error {
	if err := metadata.Unmarshal(v, into); err != nil {
		return fmt.Errorf("%s is not what it should be: %w", name, err)
	}
	return nil
}

// account is the account that a key of a map is.
func account(v metadata.Value) (types.AccountID, error) {
	a, ok := v.(metadata.Account)
	if !ok {
		return types.AccountID{}, fmt.Errorf("%v is not an account", v)
	}
	return a.ID, nil
}
