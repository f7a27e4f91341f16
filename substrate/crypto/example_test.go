package crypto_test

import (
	"fmt"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/ss58"
)

func ExampleParseURI() {
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		fmt.Println(err)
		return
	}
	sig := alice.Sign([]byte("hello"), nil)
	fmt.Println(ss58.Encode(ss58.CrustPrefix, alice.Account()))
	fmt.Println(sig.Verify([]byte("hello"), alice.Account()))
	_, err = crypto.ParseURI("//Alice/1", crypto.Ed25519)
	fmt.Println(err)
	// Output:
	// cTM8suyN19VZb7JEPRNvtezyfpEAJyYxHkk1n5J4XEr6XroRa
	// true
	// key URI: soft derivation (/) is not possible with ed25519; write //
}
