package babe

import (
	"errors"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/types"
)

// Key is an authoring key; *sr25519.KeyPair is one.
type Key interface {
	// Public returns the public key that authority lists name.
	Public() [32]byte
	// Sign signs in Substrate's context; rand may be nil.
	Sign(msg []byte, rand *[32]byte) [64]byte
	// VRFEvaluate returns the VRF's result on a transcript.
	VRFEvaluate(t sr25519.Transcript) sr25519.Output
	// VRFSign returns the VRF's result on a transcript and its proof; rand may be nil.
	VRFSign(t sr25519.Transcript, rand *[32]byte) (sr25519.Output, sr25519.Proof)
}

var _ Key = (*sr25519.KeyPair)(nil)

// Claim returns the best claim that any of the keys has on a slot of an epoch,
// and the key to seal the block with: a primary claim if there is one, else the
// secondary claim if one of the keys is the slot's secondary author. An
// authority that is listed twice claims with its first entry.
func Claim(slot types.Slot, e *Epoch, keys []Key) (PreDigest, Key, bool) {
	for _, key := range keys {
		i, ok := indexOf(e, key.Public())
		if !ok {
			continue
		}
		t := e.transcript(slot)
		if !e.Threshold(i).Admits(key.VRFEvaluate(t).Lottery()) {
			continue
		}
		return vrfClaim(Primary, slot, e, i, key), key, true
	}
	kind := e.Config.Allowed.secondary()
	author, ok := SecondaryAuthor(e.Randomness, slot, len(e.Authorities))
	if kind == 0 || !ok {
		return PreDigest{}, nil, false
	}
	for _, key := range keys {
		if key.Public() != e.Authorities[author].Key {
			continue
		}
		if kind == SecondaryVRF {
			return vrfClaim(kind, slot, e, author, key), key, true
		}
		return PreDigest{Kind: kind, Authority: author, Slot: slot}, key, true
	}
	return PreDigest{}, nil, false
}

func vrfClaim(kind ClaimKind, slot types.Slot, e *Epoch, author uint32, key Key) PreDigest {
	out, proof := key.VRFSign(e.transcript(slot), nil)
	return PreDigest{Kind: kind, Authority: author, Slot: slot, PreOutput: out.Pre, Proof: proof}
}

// transcript is what the VRF is evaluated on in a slot of the epoch.
func (e *Epoch) transcript(slot types.Slot) sr25519.Transcript {
	return sr25519.BABETranscript(e.Randomness, uint64(slot), uint64(e.Index))
}

func indexOf(e *Epoch, public [32]byte) (uint32, bool) {
	for i := range e.Authorities {
		if e.Authorities[i].Key == public {
			return uint32(i), true
		}
	}
	return 0, false
}

// ErrDisabled reports a claim of an authority that the runtime has disabled for the
// rest of its session, because of an offence.
var ErrDisabled = errors.New("babe: the block's author is disabled")

// ErrSealed reports a header that has a seal already.
var ErrSealed = errors.New("babe: the header has a seal already")

// Seal signs a finished header and appends the seal to its digest. The digest is
// copied, not extended in place.
func Seal(h *types.Header, key Key) error {
	for i := range h.Digest {
		if h.Digest[i].Kind == types.DigestSeal {
			return ErrSealed
		}
	}
	unsealed := h.Hash()
	sig := key.Sign(unsealed[:], nil)
	n := len(h.Digest)
	h.Digest = append(h.Digest[:n:n], types.Seal(types.EngineBABE, sig[:]))
	return nil
}
