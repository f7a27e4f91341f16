package crypto

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/crustgo/crust/substrate/crypto/bip39"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// maxURI bounds the work on hostile text.
const maxURI = 4096

// ParseURI returns the key pair that uri names:
//
//	<phrase, or 0x and a 32-byte seed, or nothing>{/soft or //hard}[///password]
//
// Nothing stands for the public development phrase, so "//Alice" is Alice. A
// derivation of decimal digits is a number, any other is text. A password belongs
// to a phrase. Soft derivation exists for sr25519 only.
func ParseURI(uri string, scheme Scheme) (Pair, error) {
	pair, _, _, err := parseURI(uri, scheme)
	return pair, err
}

// URISeed returns the seed from which [PairFromSeed] makes the pair of uri, or
// false if there is none because the path has a soft derivation.
func URISeed(uri string, scheme Scheme) (seed [32]byte, ok bool, err error) {
	_, seed, ok, err = parseURI(uri, scheme)
	return seed, ok, err
}

func parseURI(uri string, scheme Scheme) (pair Pair, seed [32]byte, seeded bool, err error) {
	fail := func(err error) (Pair, [32]byte, bool, error) {
		return nil, [32]byte{}, false, fmt.Errorf("key URI: %w", err)
	}
	secret, path, password, err := splitURI(uri)
	if err != nil {
		return fail(err)
	}
	if seed, err = rootSeed(secret, password); err != nil {
		return fail(err)
	}
	if pair, err = PairFromSeed(scheme, seed); err != nil {
		return fail(err)
	}
	seeded = true
	for _, j := range path {
		if !j.hard {
			sr, ok := pair.(Sr25519Pair)
			if !ok {
				return fail(fmt.Errorf("soft derivation (/) is not possible with %v; write //", scheme))
			}
			pair, seed, seeded = Sr25519Pair{sr.Soft(j.chainCode)}, [32]byte{}, false
			continue
		}
		child := pair.(interface{ HardSeed([32]byte) [32]byte }).HardSeed(j.chainCode)
		if pair, err = PairFromSeed(scheme, child); err != nil {
			return fail(err)
		}
		// A hard child of a soft one has a seed again, its own.
		seed, seeded = child, true
	}
	return pair, seed, seeded, nil
}

// junction is one step of a derivation path.
type junction struct {
	hard      bool
	chainCode [32]byte
}

// splitURI takes a URI apart without looking at the secret.
func splitURI(uri string) (secret string, path []junction, password *string, err error) {
	if len(uri) > maxURI {
		return "", nil, nil, fmt.Errorf("%d characters; shorten it to %d", len(uri), maxURI)
	}
	i := strings.IndexByte(uri, '/')
	if i < 0 {
		return uri, nil, nil, nil
	}
	secret, rest := uri[:i], uri[i:]
	for rest != "" {
		if pw, ok := strings.CutPrefix(rest, "///"); ok {
			return secret, path, &pw, nil
		}
		name, hard := strings.CutPrefix(rest, "//")
		if !hard {
			name = rest[1:]
		}
		end := strings.IndexByte(name, '/')
		if end < 0 {
			end = len(name)
		}
		if end == 0 {
			return "", nil, nil, fmt.Errorf("derivation %d has no name; write one after the slash, or remove the slash", len(path)+1)
		}
		path = append(path, junction{hard, ChainCode(name[:end])})
		rest = name[end:]
	}
	return secret, path, nil, nil
}

// ChainCode returns the chain code of a derivation called name: a number below
// 2^64 as eight little-endian bytes, other text as its SCALE string, padded with
// zeros, or hashed with blake2b-256 where it exceeds 32 bytes.
func ChainCode(name string) (code [32]byte) {
	// Substrate reads numbers as Rust does, which allows one plus sign.
	digits := strings.TrimPrefix(name, "+")
	if n, err := strconv.ParseUint(digits, 10, 64); err == nil {
		binary.LittleEndian.PutUint64(code[:], n)
		return code
	}
	b := scale.AppendString(nil, name)
	if len(b) > len(code) {
		return hash.Blake2b256(b)
	}
	copy(code[:], b)
	return code
}

// rootSeed returns the seed before any derivation.
func rootSeed(secret string, password *string) ([32]byte, error) {
	if digits, ok := strings.CutPrefix(secret, "0x"); ok {
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) != 32 {
			return [32]byte{}, fmt.Errorf("a seed is 0x and 64 hexadecimal digits; this has %d characters after 0x", len(digits))
		}
		if password != nil {
			return [32]byte{}, errors.New("a password (///) only works with a phrase; remove it, or use the phrase of this seed")
		}
		return [32]byte(raw), nil
	}
	if secret == "" {
		secret = bip39.DevPhrase
	}
	pw := ""
	if password != nil {
		pw = *password
	}
	return bip39.MiniSecret(secret, pw)
}
