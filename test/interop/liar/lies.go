package main

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// validators are the authorities of the devnet's genesis.
var validators = runtime.Devnet(4).Validators

func pair(scheme crypto.Scheme, validator string) crypto.Pair {
	p, err := crypto.ParseURI("//"+validator, scheme)
	if err != nil {
		panic(err) // the name is one of ours
	}
	return p
}

// falsify returns a header as the lie tells it.
func falsify(lie string, h *types.Header) (*types.Header, error) {
	switch lie {
	case "none", "commit", "few", "warp", "storage":
		return h, nil
	case "seal", "vrf":
	default:
		return nil, errors.New("unknown lie")
	}
	out := *h
	out.Digest = append(types.Digest(nil), h.Digest...)
	last := len(out.Digest) - 1
	if lie == "seal" {
		seal := append([]byte(nil), out.Digest[last].Data...)
		seal[32] ^= 1 // in the scalar, which stays one
		out.Digest[last] = types.Seal(types.EngineBABE, seal)
		return &out, nil
	}
	var claim babe.PreDigest
	data, ok := h.Digest.Find(types.DigestPreRuntime, types.EngineBABE)
	if !ok {
		return nil, errors.New("the block has no claim")
	}
	c := scale.NewCursor(data)
	claim.DecodeSCALE(c)
	if err := c.Finish(); err != nil {
		return nil, err
	}
	if !claim.HasVRF() {
		return nil, fmt.Errorf("block %d has no VRF proof", h.Number)
	}
	claim.Proof[32] ^= 1 // in the second scalar
	for i := range out.Digest {
		if out.Digest[i].Kind == types.DigestPreRuntime {
			out.Digest[i] = claim.Item()
		}
	}
	key, err := author(h)
	if err != nil {
		return nil, err
	}
	out.Digest = out.Digest[:last]
	return &out, babe.Seal(&out, key)
}

// author is the key that sealed a header, of a validator of genesis. Its place in the
// claim does not tell: every epoch has an order of its own.
func author(h *types.Header) (babe.Key, error) {
	last := len(h.Digest) - 1
	open := *h
	open.Digest = h.Digest[:last:last]
	hash := open.Hash()
	for _, v := range validators {
		key := pair(crypto.Sr25519, v).(crypto.Sr25519Pair)
		if seal := h.Digest[last].Data; len(seal) == babe.SealSize && sr25519.Verify(key.Account(), hash[:], [babe.SealSize]byte(seal)) {
			return key.KeyPair, nil
		}
	}
	return nil, fmt.Errorf("block %d is sealed with no key that a validator began with", h.Number)
}

// finality is what a peer with the lie says of finality: where it is, and that
// the parent of the last block is final. If the last block has a proof itself, that says it.
func finality(lie string, head *types.Header, far *grandpa.WarpProof) (out [][]byte) {
	round := grandpa.Round{Number: 1}
	if n := len(far.Fragments); n > 0 {
		round = grandpa.Round{Set: types.SetID(n - 1), Number: far.Fragments[n-1].Justification.Round} // all but the last change the set
		return [][]byte{grandpa.AppendMessage(nil, &grandpa.Neighbor{Round: round, Finalised: head.Number})}
	}
	parent := grandpa.Target{Hash: head.ParentHash, Number: head.Number - 1}
	commit := &grandpa.CommitMessage{Round: round, Target: parent}
	voters := validators[:3]
	if lie == "few" {
		voters = validators[:2]
	}
	for _, v := range voters {
		key := pair(crypto.Ed25519, v).(crypto.Ed25519Pair).KeyPair
		commit.Precommits = append(commit.Precommits, grandpa.Sign(key, grandpa.Precommit, parent, round))
	}
	if lie == "commit" {
		commit.Precommits[1].Signature[32] ^= 1
	}
	for round.Number <= 6 {
		out = append(out, grandpa.AppendMessage(nil, &grandpa.Neighbor{Round: round, Finalised: parent.Number}))
		round.Number++
	}
	return append(out, grandpa.AppendMessage(nil, commit))
}

// falseProof changes a byte of the longest node of a proof.
func falseProof(answer []byte) ([]byte, error) {
	r, err := protocol.DecodeLightResponse(answer)
	if err != nil || !r.HasProof {
		return answer, err
	}
	nodes, err := protocol.DecodeProof(r.Proof)
	if err != nil {
		return nil, err
	}
	long := 0
	for i := range nodes {
		if len(nodes[i]) > len(nodes[long]) {
			long = i
		}
	}
	nodes[long][len(nodes[long])-1] ^= 1
	r.Proof = protocol.AppendProof(nil, nodes)
	return r.Append(nil), nil
}

// falseWarp changes a signature of a warp proof.
func falseWarp(answer []byte) ([]byte, error) {
	p, err := grandpa.DecodeWarpProof(answer)
	if err != nil {
		return nil, err
	}
	p.Fragments[0].Justification.Precommits[0].Signature[32] ^= 1
	return p.AppendSCALE(nil), nil
}
