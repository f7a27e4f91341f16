package bench

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"

	"github.com/crustgo/crust/substrate/crypto"
)

// Peer is bare batch verification of signatures by curve25519-voi's own batch
// verifier: what the import of a block cannot do without. It starts from
// bytes, as an import does.
type Peer struct {
	Size    int // signatures in a batch
	context *sr25519.SigningContext
	batch   *sr25519.BatchVerifier
}

// NewPeer makes a verifier with batches of that size.
func NewPeer(size int) *Peer {
	return &Peer{Size: size, context: sr25519.NewSigningContext([]byte("substrate")), batch: sr25519.NewBatchVerifierWithCapacity(size)}
}

// Verify checks all items; an error if one is not valid.
func (p *Peer) Verify(items []crypto.Item) error {
	for len(items) > 0 {
		n := min(p.Size, len(items))
		p.batch.Reset()
		for i := range items[:n] {
			key, err := sr25519.NewPublicKeyFromBytes(items[i].Account[:])
			if err != nil {
				return err
			}
			sig, err := sr25519.NewSignatureFromBytes(items[i].Signature.Bytes())
			if err != nil {
				return err
			}
			p.batch.Add(key, p.context.NewTranscriptBytes(items[i].Message), sig)
		}
		if !p.batch.VerifyBatchOnly(rand.Reader) {
			return errors.New("the peer refuses signatures that are valid")
		}
		items = items[n:]
	}
	return nil
}

// BestPeer is the peer with the fastest of the batch sizes 256 to 2048, each
// tried four times on the items.
func BestPeer(items []crypto.Item) (*Peer, error) {
	var best *Peer
	var least time.Duration
	for range 4 {
		for size := 256; size <= 2048; size *= 2 {
			p := NewPeer(size)
			d, err := cpuOf(func() error { return p.Verify(items) })
			if err != nil {
				return nil, err
			}
			if best == nil || d < least {
				best, least = p, d
			}
		}
	}
	return best, nil
}
