package sr25519

import (
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/merlin"
)

// PreOutput is the compressed point that a VRF yields, as headers carry it.
type PreOutput [32]byte

// Proof shows that a [PreOutput] belongs to a key and a transcript.
type Proof [ProofSize]byte

// Output is a VRF's result: input and output point, from which
// [Output.MakeBytes] draws the random bytes.
type Output struct {
	Input [32]byte
	Pre   PreOutput
}

// VRFEvaluate returns the output of p on t, without a proof. A validator that
// looks for its slots needs the proof only for the slots it wins.
func (p *KeyPair) VRFEvaluate(t Transcript) Output {
	var in, out curve.RistrettoPoint
	vrfInput(&in, p.pub, t)
	return Output{Input: compress(&in), Pre: compress(out.Mul(&in, &p.key))}
}

// VRFSign returns the output of p on t and its proof; rand is as for [KeyPair.Sign].
func (p *KeyPair) VRFSign(t Transcript, rand *[32]byte) (Output, Proof) {
	var in, point curve.RistrettoPoint
	vrfInput(&in, p.pub, t)
	out := Output{Input: compress(&in), Pre: compress(point.Mul(&in, &p.key))}

	e := proofTranscript(out.Input)
	// The nonce has to change with everything the challenge depends on. The
	// input point stands for the transcript and the key; both are in e.
	r := witness(&e, "proving\x000", p.nonce[:], rand)
	c := proofChallenge(&e, p.pub, out.Pre,
		point.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, r),
		new(curve.RistrettoPoint).Mul(&in, r))
	var s scalar.Scalar
	s.Sub(r, s.Mul(c, &p.key))
	var proof Proof
	putScalar(proof[:32], c)
	putScalar(proof[32:], &s)
	return out, proof
}

// VRFOutput returns the output that pub claims on t with pre, without a proof;
// ok is false if pre is no point. Only for claims that have been verified, as a
// block's has when its runtime executes: it saves most of the verification.
func VRFOutput(pub [32]byte, t Transcript, pre PreOutput) (o Output, ok bool) {
	var in, out curve.RistrettoPoint
	if !decompress(&out, pre) || out.IsIdentity() {
		return Output{}, false
	}
	vrfInput(&in, pub, t)
	return Output{Input: compress(&in), Pre: pre}, true
}

// VRFVerify returns the output of pub on t, and whether proof shows that pre
// belongs to them.
func VRFVerify(pub [32]byte, t Transcript, pre PreOutput, proof Proof) (Output, bool) {
	var a curve.RistrettoPoint
	if !decompress(&a, pub) {
		return Output{}, false
	}
	return vrfVerify(pub, &a, nil, t, pre, proof)
}

// vrfVerify is VRFVerify of pub, given as the point a or as a table of its multiples.
func vrfVerify(pub [32]byte, a *curve.RistrettoPoint, table *curve.RistrettoBasepointTable, t Transcript, pre PreOutput, proof Proof) (Output, bool) {
	var in, out curve.RistrettoPoint
	var c, s scalar.Scalar
	if !decompress(&out, pre) || out.IsIdentity() || !setCanonical(&c, proof[:32]) || !setCanonical(&s, proof[32:]) {
		return Output{}, false
	}
	vrfInput(&in, pub, t)
	o := Output{Input: compress(&in), Pre: pre}
	e := proofTranscript(o.Input)
	var gr, hr curve.RistrettoPoint
	if table != nil {
		gr.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &s)
		gr.Add(&gr, hr.MulBasepoint(table, &c))
	} else {
		gr.DoubleScalarMulBasepointVartime(&c, a, &s)
	}
	hr.MultiscalarMulVartime([]*scalar.Scalar{&c, &s}, []*curve.RistrettoPoint{&out, &in})
	if proofChallenge(&e, pub, pre, &gr, &hr).Equal(&c) != 1 {
		return Output{}, false
	}
	return o, true
}

// MakeBytes returns n random bytes of the output for the purpose called context.
func (o Output) MakeBytes(context string, n int) []byte {
	b := make([]byte, n)
	o.fill(b, context)
	return b
}

// BABE's two uses of an output.
const (
	lotteryContext    = "substrate-babe-vrf"
	randomnessContext = "BabeVRFInOutContext"
)

// Lottery returns the 128-bit number, in little-endian bytes, that has to be
// below the author's threshold for a primary slot.
func (o Output) Lottery() (n [16]byte) { o.fill(n[:], lotteryContext); return n }

// Randomness returns what the output adds to the next epoch's randomness.
func (o Output) Randomness() (r [32]byte) { o.fill(r[:], randomnessContext); return r }

func (o Output) fill(dst []byte, context string) {
	t := merlin.NewTranscript("VRFResult")
	t.AppendMessage("", []byte(context))
	t.AppendMessage("vrf-in", o.Input[:])
	t.AppendMessage("vrf-out", o.Pre[:])
	t.ExtractBytes(dst, "")
}

// vrfInput hashes t and pub to a point whose discrete logarithm nobody knows.
func vrfInput(p *curve.RistrettoPoint, pub [32]byte, t Transcript) {
	t.Append("vrf-nm-pk", pub[:])
	var wide [64]byte
	t.m.ExtractBytes(wide[:], "VRFHash")
	if _, err := p.SetUniformBytes(wide[:]); err != nil {
		panic("sr25519: " + err.Error()) // only for a wrong length
	}
}

func proofTranscript(input [32]byte) merlin.Transcript {
	e := merlin.NewTranscript("VRF")
	e.AppendMessage("proto-name", []byte("DLEQProof"))
	e.AppendMessage("vrf:h", input[:])
	return *e
}

// proofChallenge finishes e. The key stands after the commitments, as in
// Kusama and every Substrate chain since; schnorrkel's newer order differs.
func proofChallenge(e *merlin.Transcript, pub [32]byte, pre PreOutput, gr, hr *curve.RistrettoPoint) *scalar.Scalar {
	g, h := compress(gr), compress(hr)
	e.AppendMessage("vrf:R=g^r", g[:])
	e.AppendMessage("vrf:h^r", h[:])
	e.AppendMessage("vrf:pk", pub[:])
	e.AppendMessage("vrf:h^sk", pre[:])
	var c scalar.Scalar
	challenge(&c, e, "prove")
	return &c
}

// setCanonical reads a reduced scalar.
func setCanonical(s *scalar.Scalar, b []byte) bool {
	if !scalar.ScMinimalVartime(b) {
		return false
	}
	_, err := s.SetBits(b)
	return err == nil
}
