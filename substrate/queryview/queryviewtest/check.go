package queryviewtest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/queryview"
	"github.com/crustgo/crust/substrate/scale"
)

// Native answers calls as the runtime does.
type Native func(name string, args []byte) ([]byte, error)

// Call is a function and its arguments.
type Call struct {
	Name string
	Args []byte
}

// Check compares all calls with native answers on a state, and fails the test if
// a function of the view is not called at all.
func Check(t testing.TB, view *queryview.View, storage Storage, native Native, calls []Call) {
	t.Helper()
	m := NewMachine(t, view.Code())
	for _, c := range calls {
		if err := m.compare(view, storage, native, c); err != nil {
			t.Errorf("%s(%x): %v", c.Name, c.Args, err)
		}
	}
	for _, name := range view.Functions() {
		if !slices.ContainsFunc(calls, func(c Call) bool { return c.Name == name }) {
			t.Errorf("%s is not checked: add a call of it", name)
		}
	}
}

func (m *Machine) compare(view *queryview.View, storage Storage, native Native, c Call) error {
	got, read, err := m.Call(storage, c.Name, c.Args)
	if keyErr := CheckKeys(view, c, read, err); keyErr != nil {
		return keyErr
	}
	if view.IsEstimate(c.Name) {
		if err != nil {
			return err
		}
		return Decodes(c.Name, got)
	}
	want, nativeErr := native(c.Name, c.Args)
	switch {
	case (err == nil) != (nativeErr == nil):
		return fmt.Errorf("the view says %x, %v; the runtime %x, %v", got, err, want, nativeErr)
	case err == nil && !bytes.Equal(got, want):
		return fmt.Errorf("the view returns\n%x, the runtime\n%x", got, want)
	}
	return nil
}

// CheckKeys compares the keys that a call read with those that the view lists. A
// call that ended with callErr may have read fewer.
func CheckKeys(view *queryview.View, c Call, read [][]byte, callErr error) error {
	listed, err := view.Keys(c.Name, c.Args)
	switch {
	case err != nil && callErr == nil:
		return fmt.Errorf("the view refuses to list the keys of a call that it answers: %w", err)
	case callErr != nil && len(read) <= len(listed):
		listed = listed[:len(read)]
	}
	if !slices.EqualFunc(read, listed, bytes.Equal) {
		return fmt.Errorf("the view reads the keys\n%x, but lists\n%x", read, listed)
	}
	return nil
}

// Decodes reports whether the answer of a function that only estimates has the form
// that its callers expect.
func Decodes(name string, answer []byte) error {
	c := scale.NewCursor(answer)
	switch name {
	case "TaggedTransactionQueue_validate_transaction":
		decodeValidity(c)
	case "TransactionPaymentApi_query_info":
		c.Compact() // weight
		c.Compact()
		if class := c.U8(); class > 2 {
			c.Fail(fmt.Errorf("dispatch class %d", class))
		}
		c.Ref(16) // fee
	default:
		return fmt.Errorf("the form of the answers of %s is not known here", name)
	}
	if err := c.Finish(); err != nil {
		return fmt.Errorf("the answer %x cannot be decoded: %w", answer, err)
	}
	return nil
}

// decodeValidity reads a Result<ValidTransaction, TransactionValidityError>.
func decodeValidity(c *scale.Cursor) {
	if failed := c.Bool(); failed {
		unknown := c.Bool()
		const custom, customUnknown = 7, 2
		if kind := c.U8(); !unknown && kind == custom || unknown && kind == customUnknown {
			c.U8()
		} else if kind > 10 || unknown && kind > customUnknown {
			c.Fail(fmt.Errorf("reason %d", kind))
		}
		return
	}
	c.U64() // priority
	for range 2 {
		for range c.Len(1) { // tags required, tags provided
			c.Bytes(1024)
		}
	}
	c.U64() // longevity
	c.Bool()
}
