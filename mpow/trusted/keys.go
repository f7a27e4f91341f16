package trusted

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// Hash is a hash, or another name of 32 bytes, as the protocol says.
type Hash = proof.Hash

// secret is what never leaves the enclave, with what it was born with. None of it
// changes.
type secret struct {
	root    [32]byte // every unit's key follows from it
	seed    [32]byte // of the enclave key
	lineage proof.Lineage
	account Hash
	genesis Hash
}

func newSecret(account, genesis Hash, rand io.Reader) (s secret, err error) {
	s.account, s.genesis = account, genesis
	for _, b := range [][]byte{s.root[:], s.seed[:], s.lineage[:]} {
		if err := draw(rand, b); err != nil {
			return secret{}, err
		}
	}
	return s, nil
}

// draw fills b with random bytes. All zeros are the mark of a source that is
// broken: the protocol draws 128 bits and more.
func draw(rand io.Reader, b []byte) error {
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("randomness: %w", err)
	}
	for _, x := range b {
		if x != 0 {
			return nil
		}
	}
	return fmt.Errorf("randomness: %d zero bytes", len(b))
}

// derive is HKDF's expansion of the root key, which is uniform already.
func (s *secret) derive(info string) []byte {
	k, err := hkdf.Expand(sha256.New, s.root[:], info, 32)
	if err != nil {
		panic(err) // only for a length that is too large
	}
	return k
}

// unitCipher is AES-256 under a unit's key.
func (s *secret) unitCipher(k proof.Kind, id *proof.UnitID) cipher.Block {
	info := append([]byte("crust/mpow/unit/v1"), s.lineage[:]...)
	info = append(append(info, byte(k)), id[:]...)
	b, err := aes.NewCipher(s.derive(string(info)))
	if err != nil {
		panic(err) // only for a length that AES does not have
	}
	return b
}

// unitAEAD is AES-256-GCM under a data unit's key.
func (s *secret) unitAEAD(id *proof.UnitID) cipher.AEAD {
	a, err := cipher.NewGCM(s.unitCipher(proof.Data, id))
	if err != nil {
		panic(err) // only for a cipher of another block size
	}
	return a
}

// Ticket is the enclave's word to itself that it made what a ticket is for.
type Ticket = [32]byte

func (s *secret) ticket(what []byte) (t Ticket) {
	m := hmac.New(sha256.New, s.derive("crust/mpow/ticket/v1"+string(s.lineage[:])))
	m.Write(what)
	m.Sum(t[:0])
	return t
}

func (s *secret) unitTicket(k proof.Kind, d *proof.Descriptor) Ticket {
	return s.ticket(d.AppendSCALE([]byte{0, byte(k)}))
}

func (s *secret) fileTicket(f *proof.File) Ticket { return s.ticket(f.AppendSCALE([]byte{1})) }

func (s *secret) appendSCALE(dst []byte) []byte {
	dst = append(append(append(dst, s.root[:]...), s.seed[:]...), s.lineage[:]...)
	return append(append(dst, s.account[:]...), s.genesis[:]...)
}

func (s *secret) decodeSCALE(c *scale.Cursor) {
	for _, b := range [][]byte{s.root[:], s.seed[:], s.lineage[:], s.account[:], s.genesis[:]} {
		c.Fixed(b)
	}
}
