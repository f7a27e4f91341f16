package attest_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// The rows of the attack table, facts/tee.md §3.2, that attestation has to stop, and
// our own of design/mpow.md. Each test mounts the attack and shows what stops it, or
// the bound that holds where nothing can.

// zeroHashes is a chain whose blocks have no hashes yet.
type zeroHashes struct{}

func (zeroHashes) HashOf(*frame.Env, types.BlockNumber) (types.Hash, bool) { return types.Hash{}, true }

// Rows 2 and 14: evidence made ahead, over a hash that is known before its block. A
// hash of zeros is no anchor, nor is one that the chain has forgotten, nor this block.
func TestAttack02And14ZeroHash(t *testing.T) {
	w := newWorld(t)
	w.Run(5)
	w.p.Blocks = zeroHashes{}
	w.Block(func(e *frame.Env) {
		if _, err := w.p.Anchor(e, 4); !errors.Is(err, attest.ErrBadAnchor) {
			t.Errorf("over zeros: %v", err)
		}
	})
}

// Row 4: the same sealed state in many processes. A key is admitted once; the copies
// of it are the same key.
func TestAttack04Clone(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		for _, n := range []byte{1, 2} { // the clone on the same platform and on another
			ev, err := w.p.Verify(e, quote(tee.SGX, n, [64]byte{}))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.p.Admit(e, attest.EnclaveKey{1}, ev); !errors.Is(err, attest.ErrKeyUsed) {
				t.Errorf("the clone on platform %d: %v", n, err)
			}
		}
	})
}

// Row 5: registration with empty lists of verifiers. There are no verifiers: without
// evidence nothing is admitted, whoever asks, and without roots nothing at all.
func TestAttack05FakeRegistration(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for name, raw := range map[string][]byte{"nothing": {}, "zeros": make([]byte, 4730), "a chain alone": quote(tee.SGX, 1, [64]byte{})[1052:]} {
			if _, err := w.p.Verify(e, raw); err == nil {
				t.Errorf("%s is evidence", name)
			}
		}
		other := dev.NewCA([32]byte{66}) // a CA of the attacker's own, perfect in all else
		if _, err := w.p.Verify(e, other.Specimen(tee.SGX, [16]byte{1}, 1).Quote()); !errors.Is(err, attest.ErrUntrustedRoot) {
			t.Errorf("evidence of the attacker's own: %v", err)
		}
		w.p.Roots.Put(e, nil)
		if _, err := w.p.Verify(e, quote(tee.SGX, 1, [64]byte{})); !errors.Is(err, attest.ErrUntrustedRoot) {
			t.Errorf("without any root: %v", err)
		}
	})
}

// Row 5, development evidence on a real network: its genesis trusts Intel only.
func TestAttack05DevelopmentEvidenceOnARealNetwork(t *testing.T) {
	var intel dcap.Key
	if err := intel.UnmarshalText([]byte("0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f567918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394")); err != nil {
		t.Fatal(err)
	}
	w := build(t)
	w.Genesis(map[string]any{"Attest": attest.Genesis{Roots: []dcap.Key{intel}, EvaluationLimit: 99}})
	w.Block(func(e *frame.Env) {
		if _, err := w.p.Verify(e, dev.NewCA(dev.DevelopmentSeed()).Specimen(tee.SGX, [16]byte{1}, 1).Quote()); !errors.Is(err, attest.ErrUntrustedRoot) {
			t.Errorf("development evidence: %v", err)
		}
		for _, part := range allParts {
			if err := w.submit(e, part, vendor(tee.SGX, w.now(), nil)); !errors.Is(err, attest.ErrUntrustedRoot) && !errors.Is(err, attest.ErrNoList) {
				t.Errorf("development collateral, part %d: %v", part, err)
			}
		}
	})
}

// Row 6: an enclave under a debugger has the measurement of the genuine one. Its
// attributes are judged, of SGX and of TDX, and so is the platform's status.
func TestAttack06Debug(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for kind, flag := range map[tee.Kind]uint64{tee.SGX: 2, tee.TDX: 1} {
			s := ca.Specimen(kind, [16]byte{1}, 1)
			s.Flags |= flag
			if _, err := w.p.Verify(e, s.Quote()); !errors.Is(err, attest.ErrDebuggable) {
				t.Errorf("%v: %v", kind, err)
			}
		}
		qe := platform(1)
		qe.QEFlags |= 2
		if _, err := w.p.Verify(e, qe.Quote()); !errors.Is(err, attest.ErrQEIdentity) {
			t.Errorf("the quoting enclave under a debugger: %v", err)
		}
		s := platform(1)
		s.Processor.SGX[0] = 6 // out of date: the original takes it like any other
		if ev, err := w.p.Verify(e, s.Quote()); err != nil || ev.Grade != attest.Lesser {
			t.Errorf("a platform out of date: %+v, %v", ev, err)
		}
	})
}

// Row 7: signatures that are no signatures. Whatever 64 bytes stand in the place of
// one, they do not verify, and there is no third answer.
func TestAttack07AnySignature(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for _, fill := range []byte{0, 1, 0x30, 0x7f, 0xff} {
			for _, at := range []int{436, 948} { // of the quote, of the quoting enclave's report
				raw := quote(tee.SGX, 1, [64]byte{})
				for i := range 64 {
					raw[at+i] = fill
				}
				if _, err := w.p.Verify(e, raw); !errors.Is(err, attest.ErrQuoteSignature) && !errors.Is(err, attest.ErrQESignature) {
					t.Errorf("%#x as the signature at %d: %v", fill, at, err)
				}
			}
		}
	})
}

// Row 8: a program of the attacker's, signed with a key of signers that is public. A
// program is its measurement here; who signed it means nothing.
func TestAttack08PublicSignerKey(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		s := platform(1) // the same signer, product and version as the genuine program
		s.Code[0] ^= 1
		ev, err := w.p.Verify(e, s.Quote())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Code == dev.CodeOf(tee.SGX, 1) || ev.Code != s.Code {
			t.Errorf("another program has the code %x", ev.Code)
		}
	})
}

// Row 13: two enclaves from one, through an upgrade. A key that is retired never
// comes back, and each platform has so many keys and not more.
func TestAttack13KeyComesBack(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		ev, err := w.p.Verify(e, quote(tee.SGX, 1, [64]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		w.p.Retire(e, attest.EnclaveKey{1})
		if err := w.p.Admit(e, attest.EnclaveKey{1}, ev); !errors.Is(err, attest.ErrKeyUsed) {
			t.Errorf("a retired key: %v", err)
		}
	})
}

// Row 15: input that makes a verifier panic. Lengths are judged before anything is
// taken apart: every beginning of a quote, and every length in it, is an error.
func TestAttack15Panics(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
			raw := quote(kind, 1, [64]byte{})
			for n := 0; n < len(raw); n += 13 {
				if _, err := w.p.Verify(e, raw[:n]); !errors.Is(err, attest.ErrWrongLength) {
					t.Errorf("%v, %d bytes: %v", kind, n, err)
				}
			}
		}
	})
}

// Row 16: keys of attestation stolen from hardware. No check can see it: the evidence
// is genuine. The bound is what one platform may have, whatever is made with its keys.
func TestAttack16StolenKeys(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		admitted, platforms := 0, map[attest.PlatformID]uint64{}
		for k := range byte(100) {
			ev, err := w.p.Verify(e, quote(tee.SGX, 1, [64]byte{k}))
			if err != nil {
				t.Fatal(err)
			}
			if w.p.Admit(e, attest.EnclaveKey{k, 1}, ev) == nil {
				admitted++
			}
			s := w.p.Standing(e, attest.EnclaveKey{k, 1})
			if s.State == attest.Live {
				platforms[s.Platform] = s.Cap
			}
		}
		if admitted != 8 || len(platforms) != 1 {
			t.Errorf("%d keys on %d platforms", admitted, len(platforms))
		}
		for _, limit := range platforms {
			if limit != fullCap {
				t.Errorf("cap %d", limit)
			}
		}
		// The vendor learns of it: everything made with those keys is gone at once.
		if err := w.submit(e, dev.PCKCRL, vendor(tee.SGX, w.now(), func(s *dev.Specimen) { s.PCKList.Revoked = []dcap.Serial{platform(1).PCK.Serial} })); err != nil {
			t.Fatal(err)
		}
		for k := range byte(8) {
			if s := w.p.Standing(e, attest.EnclaveKey{k, 1}); s.State != attest.Revoked || s.Cap != 0 {
				t.Errorf("key %d: %+v", k, s)
			}
		}
	})
}

// Of our own rows: early collateral. The vendor signs what will count a year from now;
// an attacker brings it early, to put all others out of date at once. Root has not
// opened that evaluation; and of one that is open, who is here has Delay to update.
func TestAttackEarlyCollateral(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		ruin := func(s *dev.Specimen) { s.Info.Levels[0].SGX[0], s.Info.Evaluation = 99, 2 }
		if err := w.submit(e, dev.TCBInfo, vendor(tee.SGX, w.now(), ruin)); !errors.Is(err, attest.ErrTooEarly) {
			t.Errorf("the next evaluation: %v", err)
		}
		w.p.EvaluationLimit.Put(e, 2)
		w.clock.now += secondMs
		if err := w.submit(e, dev.TCBInfo, vendor(tee.SGX, w.now(), ruin)); err != nil {
			t.Fatal(err)
		}
		if s := w.p.Standing(e, attest.EnclaveKey{1}); s.Grade != attest.Full {
			t.Errorf("who is here, at once: %+v", s)
		}
	})
}

// Of our own rows: clone and re-register. An identity is a platform and a key; the two
// forms that a signature has make neither another platform nor room for another key.
func TestAttackOtherFormOfTheSameEvidence(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for k := range byte(8) {
			w.admit(e, 1, k+1)
		}
		s := platform(1)
		s.PCK.Serial[19]++ // another certificate for the same processor
		ev, err := w.p.Verify(e, s.Quote())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.p.Admit(e, attest.EnclaveKey{9}, ev); !errors.Is(err, attest.ErrTooManyKeys) {
			t.Errorf("a ninth key with another certificate: %v", err)
		}
	})
}

// Of our own rows: an attacker rolls collateral back, to the time before a revocation.
func TestAttackRollbackOfCollateral(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		before := vendor(tee.SGX, w.now()-86400, nil)
		w.publish(e, before)
		w.admit(e, 1, 1)
		if err := w.submit(e, dev.PCKCRL, vendor(tee.SGX, w.now(), func(s *dev.Specimen) { s.PCKList.Revoked = []dcap.Serial{platform(1).PCK.Serial} })); err != nil {
			t.Fatal(err)
		}
		if err := w.submit(e, dev.PCKCRL, before); !errors.Is(err, attest.ErrNotNewer) {
			t.Errorf("the list of yesterday: %v", err)
		}
		if w.state(e, 1) != attest.Revoked {
			t.Errorf("%v", w.state(e, 1))
		}
	})
}

// Of our own rows: nobody brings collateral. Who is here keeps going for OldGrace, then
// is frozen, and goes on as soon as anybody brings it: nothing is lost.
func TestAttackCollateralWithheld(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		w.publish(e, vendor(tee.SGX, w.now(), nil))
		w.admit(e, 1, 1)
	})
	w.clock.now += 61 * dayMs
	w.Block(func(e *frame.Env) {
		if w.state(e, 1) != attest.Stale {
			t.Errorf("%v", w.state(e, 1))
		}
		w.publish(e, vendor(tee.SGX, w.now(), nil))
		if w.state(e, 1) != attest.Due { // it has to prove itself as well, after thirty days
			t.Errorf("%v", w.state(e, 1))
		}
	})
}
