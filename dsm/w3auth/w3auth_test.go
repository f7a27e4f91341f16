package w3auth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/ss58"
)

// tokens were made with @polkadot/keyring 12 and ethers 5, from //Alice of the
// development phrase and an Ethereum key of 32 bytes 0x11.
var tokens = []struct{ name, token, user string }{
	{"ed25519", "c3ViLWNUS1M1bW9NRmpYODdKU2JZMlh0VGZKb1JZM0tZQlBkMkthUzNXanRnaUhDTVFHWUw6MHhlMTExNWY5Y2M4OTA2ZDQyZTRjZDFkN2ZkMDhkYjQzZDdjNTNmYjJhYzBkNWEzZjQxN2NjZTk1NWMyNDBmMTc5Zjk3OGJjZDZhYWVhNmU2ZjllMmI2Mzg4YzM4NzYwMGQ4Y2NkNzZkNTcyMmJhOTkwZDE4MzdhMDY0NTczM2QwMA==", "cTKS5moMFjX87JSbY2XtTfJoRY3KYBPd2KaS3WjtgiHCMQGYL"},
	{"sr25519", "c3ViLWNUTThzdXlOMTlWWmI3SkVQUk52dGV6eWZwRUFKeVl4SGtrMW41SjRYRXI2WHJvUmE6MHg5Mjc5YWUxNTU2NmNjYjk4ZGY0MGMwNWQxYjk5MjVhYjAzMGFkNDRiYTM2NTMwZjFhMjFmZDQ0YjE2ZWZlNTI3MjU1MTY3ZThiOTVlMDhmOGY2NTcyMDc5ODljYmU5MmVkMTcwZjE4YmM2ZmM4OTU1YjJhMDZhMzQyM2E1MjU4Yg==", "cTM8suyN19VZb7JEPRNvtezyfpEAJyYxHkk1n5J4XEr6XroRa"},
	{"ecdsa", "c3ViLWNUR1A4MXhEZGE3MXUxVm9KYnpGVUFoRzJYWXRxaG9ZVjdwQTdEN1kxOVVTYzJKRDg6MHg4MjliMjFiYmRjYjhhNTE4MTMxMWQ0ODA4NjAzMWI4Y2MyNDFiMGM3MGI3OGNjOGM1YTNlZTgyZTJmZWI0YTAwMzk4MTZhYmFjOWI2Njk2M2IzMmM2NzU4NDZmNmFlZGQzMWZmZWU0MmE4YThiNDQ0ZjQ3ZGRjMmI3MmQ3NzU2ZTAw", "cTGP81xDda71u1VoJbzFUAhG2XYtqhoYV7pA7D7Y19USc2JD8"},
	{"ethereum", "ZXRoLTB4MTlFN0UzNzZFN0MyMTNCN0U3ZTdlNDZjYzcwQTVkRDA4NkRBZmYyQToweGYxYWE2NDRjNWQ0ZTI5NTVkNDM1OWU0NjE1MTFkOTBjNTk3YzZkOTdmZmM1Y2EwYWQ2ZWZkODhhMGNmOGQ3MDg0YzEzMTNlMzA4NmQ0NzBkMDgyODQ5MzAxOTI2ZDVkZDI0NmVjMjY0MDAzZDE2Nzk5ZjM0MDQzNTU4NDc0ZjExMWI=", "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"},
}

func TestTokensOfWallets(t *testing.T) {
	for _, c := range tokens {
		for _, scheme := range []string{"Basic ", "Bearer ", "bearer "} {
			user, err := Verify(scheme+c.token, Policy{})
			if err != nil || string(user) != c.user {
				t.Errorf("%s: %s, %v", c.name, user, err)
			}
		}
		if _, err := Verify("Bearer "+c.token, Policy{OnlyExpired: true}); !errors.Is(err, ErrPermanent) {
			t.Errorf("%s as permanent token: %v", c.name, err)
		}
		for i := range c.token {
			changed := []byte(c.token)
			if changed[i] ^= 1; changed[i] == '=' || c.token[i] == '=' {
				continue
			}
			user, err := Verify("Bearer "+string(changed), Policy{})
			if err == nil && string(user) == c.user && !sameMeaning(c.token, string(changed)) {
				t.Errorf("%s: byte %d changed, still good", c.name, i)
			}
		}
	}
}

// sameMeaning reports whether two tokens differ in letter case or padding bits
// only, or in how the ecdsa recovery number is written.
func sameMeaning(a, b string) bool {
	x, _ := base64.StdEncoding.DecodeString(a)
	y, _ := base64.StdEncoding.DecodeString(b)
	return strings.EqualFold(string(x), string(y))
}

func alice(t *testing.T, scheme crypto.Scheme) crypto.Pair {
	t.Helper()
	pair, err := crypto.ParseURI("//Alice", scheme)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func TestSpellings(t *testing.T) {
	for _, scheme := range []crypto.Scheme{crypto.Ed25519, crypto.Sr25519, crypto.ECDSA} {
		pair := alice(t, scheme)
		want := SubstrateUser(pair.Account())
		for _, prefix := range []uint16{0, 42, 66} {
			address := ss58.Encode(prefix, pair.Account())
			for _, text := range []string{address, "<Bytes>" + address + "</Bytes>"} {
				m := pair.Sign([]byte(text), nil)
				plain, typed := hex.EncodeToString(m.Bytes()), hex.EncodeToString(m.AppendSCALE(nil))
				for _, c := range []string{"sub-" + address + ":0x" + plain, address + ":" + plain, "CRUST-" + address + ":0x" + typed} {
					if user, err := Verify(basic(c), Policy{}); err != nil || user != want {
						t.Errorf("%s over %q: %s, %v", c, text, user, err)
					}
				}
			}
			other := ss58.Encode(7, pair.Account()) // a signature is of one spelling
			m := pair.Sign([]byte(other), nil)
			if _, err := Verify(basic(fmt.Sprintf("sub-%s:0x%x", address, m.Bytes())), Policy{}); !errors.Is(err, ErrInvalid) {
				t.Errorf("a signature of another spelling: %v", err)
			}
		}
		if account, ok := want.Account(); !ok || account != pair.Account() {
			t.Error("the account is lost")
		}
	}
	if _, ok := User("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a").Account(); ok {
		t.Error("an Ethereum address is no account")
	}
}

func TestTokensThatExpire(t *testing.T) {
	pair := alice(t, crypto.Sr25519)
	for _, host := range []string{"gw.example.com", "my-gateway:8080", "[::1]:8080"} {
		token, err := Token(pair, host, 1000)
		if err != nil {
			t.Fatal(err)
		}
		header := "Bearer " + token
		for _, c := range []struct {
			name string
			p    Policy
			want error
		}{
			{"in time", Policy{Host: host, Now: 999, OnlyExpired: true}, nil},
			{"host in capitals", Policy{Host: strings.ToUpper(host), Now: 999}, nil},
			{"late", Policy{Host: host, Now: 1000}, ErrExpired},
			{"elsewhere", Policy{Host: "other", Now: 1}, ErrHost},
			{"gateway without a name", Policy{Now: 1}, ErrHost},
		} {
			if _, err := Verify(header, c.p); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", host, c.name, err)
			}
		}
		raw, _ := base64.StdEncoding.DecodeString(token)
		for _, change := range [][2]string{{"@1000", "@2000"}, {"@1000", "@01000"}, {"@1000", "@0"}, {"@1000", ""}, {"@1000", "@99999999999999999999"}, {host, "other"}, {"@" + host, ""}} {
			forged := strings.Replace(string(raw), change[0], change[1], 1)
			if _, err := Verify(basic(forged), Policy{Host: host, Now: 1}); !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %v", forged, err)
			}
		}
	}
	for _, c := range []struct {
		host    string
		expires uint64
	}{{"", 5}, {"h", 0}, {"a@b", 5}, {"a b", 5}} {
		if _, err := Token(pair, c.host, c.expires); err == nil {
			t.Errorf("a token for %q until %d", c.host, c.expires)
		}
	}
	permanent, err := Token(pair, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if user, err := Verify("Basic "+permanent, Policy{}); err != nil || user != SubstrateUser(pair.Account()) {
		t.Errorf("permanent: %s, %v", user, err)
	}
}

func TestRefusals(t *testing.T) {
	address := ss58.Encode(66, alice(t, crypto.Sr25519).Account())
	sig := strings.Repeat("00", 64)
	for _, c := range []struct {
		name, header string
		want         error
	}{
		{"nothing", "", ErrEmpty},
		{"another scheme", "Digest abc", ErrEmpty},
		{"no credentials", "Basic ", ErrEmpty},
		{"no signature", basic("sub-" + address + ":"), ErrEmpty},
		{"no colon", basic("sub-" + address), ErrEmpty},
		{"not base64", "Basic !!!", ErrInvalid},
		{"too long", "Basic " + strings.Repeat("A", MaxHeader), ErrInvalid},
		{"unknown chain", basic("flow-" + address + ":" + sig), ErrUnsupported},
		{"no address", basic("sub-:" + sig), ErrInvalid},
		{"address of another length", basic("sub-5abc:" + sig), ErrInvalid},
		{"signature is not hexadecimal", basic("sub-" + address + ":xyz"), ErrInvalid},
		{"signature of no length", basic("sub-" + address + ":0x00"), ErrInvalid},
		{"zero signature", basic("sub-" + address + ":0x" + sig), ErrInvalid},
		{"unknown type", basic("sub-" + address + ":0x09" + sig), ErrInvalid},
		{"eth: no 0x", basic("eth-19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A:" + sig + "00"), ErrInvalid},
		{"eth: short", basic("eth-0x19E7:" + sig + "00"), ErrInvalid},
		{"eth: zero signature", basic("eth-0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A:" + sig + "00"), ErrInvalid},
	} {
		if _, err := Verify(c.header, Policy{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, c := range tokens {
		f.Add("Bearer " + c.token)
	}
	f.Add(basic("sub-a@b@1:00"))
	f.Fuzz(func(t *testing.T, header string) {
		user, err := Verify(header, Policy{Host: "b"})
		if (err == nil) == (user == "") {
			t.Errorf("%q: %v", user, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, c := range tokens {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Verify("Bearer "+c.token, Policy{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
