package w3auth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/ecdsa"
	"github.com/crustgo/crust/substrate/ss58"
)

// MaxHeader is how long an Authorization header may be, in bytes.
const MaxHeader = 2048

// Errors of [Verify]. The first three have the texts that clients of the original
// gateway know.
var (
	//lint:ignore ST1005 a published text
	ErrEmpty = errors.New("Empty Signature")
	//lint:ignore ST1005 a published text
	ErrInvalid = errors.New("Invalid Signature")
	//lint:ignore ST1005 a published text
	ErrUnsupported = errors.New("Unsupported web3 signature")
	ErrExpired     = errors.New("the token has expired; make a new one")
	ErrHost        = errors.New("the token is for another gateway")
	ErrPermanent   = errors.New("this gateway takes only tokens that name it and expire")
)

// User is an account in one spelling: the Crust address of a Substrate account, or
// an Ethereum address in lower case with 0x.
type User string

// SubstrateUser returns the user of a Substrate account.
func SubstrateUser(account [32]byte) User { return User(ss58.Encode(ss58.CrustPrefix, account)) }

// Account returns the Substrate account of the user; ok is false for users of
// other chains.
func (u User) Account() (account [32]byte, ok bool) {
	account, err := ss58.DecodeFor(ss58.CrustPrefix, string(u))
	return account, err == nil
}

// Policy is what a gateway asks of a token.
type Policy struct {
	Host        string // the gateway's name, which tokens that expire must name
	Now         uint64 // seconds since 1970
	OnlyExpired bool   // refuse tokens without an end
}

// claim is what a token says before it is believed.
type claim struct {
	chain, text, address string // text is what is signed
	host                 string
	expires              uint64 // 0: never
	signature            string
}

// Verify returns the user that an Authorization header shows.
func Verify(header string, p Policy) (User, error) {
	c, err := parse(header)
	if err != nil {
		return "", err
	}
	var user User
	switch c.chain {
	case "sub", "substrate", "crust", "cru":
		user, err = c.substrate()
	case "eth", "ethereum", "pol", "polygon":
		user, err = c.ethereum()
	default:
		return "", ErrUnsupported
	}
	switch {
	case err != nil:
		return "", err
	case c.expires == 0 && p.OnlyExpired:
		return "", ErrPermanent
	case c.expires == 0:
		return user, nil
	case !strings.EqualFold(c.host, p.Host):
		return "", ErrHost
	case p.Now >= c.expires:
		return "", ErrExpired
	}
	return user, nil
}

// parse takes a header apart.
func parse(header string) (claim, error) {
	if len(header) > MaxHeader {
		return claim{}, ErrInvalid
	}
	scheme, word, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Basic") && !strings.EqualFold(scheme, "Bearer") || word == "" {
		return claim{}, ErrEmpty
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(word))
	if err != nil {
		return claim{}, ErrInvalid
	}
	left, signature, ok := cutLast(string(raw), ":") // a host may have a port
	if !ok || signature == "" {
		return claim{}, ErrEmpty
	}
	c := claim{chain: "sub", text: left, signature: signature}
	who, rest, named := strings.Cut(left, "@")
	if chain, address, ok := strings.Cut(who, "-"); ok {
		c.chain, c.text, who = strings.ToLower(strings.TrimSpace(chain)), left[len(chain)+1:], address
	}
	c.address = who
	if named {
		host, until, ok := cutLast(rest, "@")
		if !ok || host == "" {
			return claim{}, ErrInvalid
		}
		// One spelling of a number only: what is signed is a text.
		if c.expires, err = strconv.ParseUint(until, 10, 63); err != nil || c.expires == 0 || until[0] == '0' {
			return claim{}, ErrInvalid
		}
		c.host = host
	}
	return c, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// substrate checks a signature of a Substrate account. Nothing says which scheme
// made it, so the schemes whose signatures are that long are tried in turn.
func (c *claim) substrate() (User, error) {
	account, _, err := ss58.Decode(c.address)
	if err != nil {
		return "", ErrInvalid
	}
	sig, err := hex.DecodeString(strings.TrimPrefix(c.signature, "0x"))
	if err != nil {
		return "", ErrInvalid
	}
	for _, m := range candidates(sig) {
		if m.Verify([]byte(c.text), account) || m.Verify([]byte("<Bytes>"+c.text+"</Bytes>"), account) {
			return SubstrateUser(account), nil
		}
	}
	return "", ErrInvalid
}

// candidates are the ways to read a signature: of 64 bytes as one of both schemes
// on the Edwards curve, of 65 as ecdsa, and with the scheme's number in front.
func candidates(sig []byte) (out []crypto.MultiSignature) {
	add := func(scheme crypto.Scheme, raw []byte) {
		if m, err := crypto.NewSignature(scheme, raw); err == nil {
			out = append(out, m)
		}
	}
	switch len(sig) {
	case 64:
		add(crypto.Sr25519, sig)
		add(crypto.Ed25519, sig)
	case 65:
		add(crypto.Scheme(sig[0]), sig[1:]) // refused unless 64 bytes are that scheme's
		add(crypto.ECDSA, sig)
	case 66:
		add(crypto.Scheme(sig[0]), sig[1:])
	}
	return out
}

// ethereum checks a wallet's signature of the address as text, or of its bytes.
func (c *claim) ethereum() (User, error) {
	digits, ok := strings.CutPrefix(strings.ToLower(c.address), "0x")
	want, err := hex.DecodeString(digits)
	if !ok || err != nil || len(want) != 20 {
		return "", ErrInvalid
	}
	sig, err := hex.DecodeString(strings.TrimPrefix(c.signature, "0x"))
	if err != nil || len(sig) != 65 {
		return "", ErrInvalid
	}
	messages := [][]byte{[]byte(c.text)}
	if c.expires == 0 {
		messages = append(messages, want) // the bytes say nothing of host and time
	}
	for _, m := range messages {
		if got, ok := ecdsa.RecoverEthereum(m, [65]byte(sig)); ok && got == [20]byte(want) {
			return User("0x" + digits), nil
		}
	}
	return "", ErrInvalid
}

// Token makes the credentials of a Substrate account, in base64, for a gateway's
// host and until a second since 1970. Without a host the token is the permanent
// one that the original's gateways know, and expires must be 0.
func Token(pair crypto.Pair, host string, expires uint64) (string, error) {
	text := ss58.Encode(ss58.CrustPrefix, pair.Account())
	switch {
	case host == "" && expires != 0:
		return "", errors.New("a token that expires must name the gateway it is for")
	case host != "" && (expires == 0 || strings.ContainsAny(host, "@ ")):
		return "", fmt.Errorf("a token for %q must expire, and a host has neither @ nor spaces", host)
	case host != "":
		text = fmt.Sprintf("%s@%s@%d", text, host, expires)
	}
	sig := pair.Sign([]byte(text), nil)
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "sub-%s:0x%x", text, sig.Bytes())), nil
}
