package reporter

import (
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/substrate/types"
)

// stranger is the chain of another account than the worker's.
type stranger struct{ Chain }

// Account is that other one.
func (stranger) Account() types.AccountID { return types.AccountID{9} }

// A worker that was born for one account does not report for another, and says which key it wants.
func TestOtherAccount(t *testing.T) {
	err := New(new(worker.Worker), stranger{}, Config{}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "use the key that it was born for") {
		t.Fatal(err)
	}
}
