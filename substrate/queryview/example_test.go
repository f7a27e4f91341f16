package queryview_test

import (
	"fmt"

	"github.com/crustgo/crust/substrate/queryview"
	"github.com/crustgo/crust/substrate/types"
)

func Example() {
	accounts := queryview.Item("System", "Account")
	view, err := queryview.New(types.RuntimeVersion{SpecName: "example"},
		queryview.Const("Greeting_text", []byte("hello")),
		queryview.Concat("AccountNonceApi_account_nonce",
			queryview.Value(queryview.MapKey(accounts, 0, 32)).Slice(0, 4).Or(make([]byte, 4))).Args(32),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := view.Keys("AccountNonceApi_account_nonce", make([]byte, 32))
	fmt.Printf("%q\n%q\n%x %v\n", view.Functions(), view.Code()[:4], keys, err)
	// Output:
	// ["AccountNonceApi_account_nonce" "Greeting_text"]
	// "\x00asm"
	// [26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9ff0f22492f44bac4c4b30ae58d0e8daa0000000000000000000000000000000000000000000000000000000000000000] <nil>
}
