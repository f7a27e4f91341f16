package attest_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// modelKey is what a plain model remembers of a key.
type modelKey struct {
	platform  byte
	since, at types.Moment // admitted, attested last
	old       bool         // its platform was a version behind
	suspended bool
}

// table is a published table: from when, and whether it is stricter.
type table struct {
	since  types.Moment
	status dcap.Status // of the newest versions
}

// model works out a key's state in the plainest way.
type model struct {
	keys    map[byte]modelKey
	spent   map[byte]bool
	revoked map[byte]bool
	tables  []table // all that were ever published, with what they say
	next    types.Moment
}

func (m *model) state(key byte, now types.Moment) (attest.State, attest.Grade) {
	k, ok := m.keys[key]
	newest := m.tables[len(m.tables)-1]
	switch {
	case !ok:
		return attest.Unknown, attest.Refused
	case k.suspended:
		return attest.Suspended, attest.Refused
	case m.revoked[k.platform], newest.status == dcap.Revoked && !k.old:
		return attest.Revoked, attest.Refused
	case now > m.next+30*dayMs+999: // seconds count
		return attest.Stale, attest.Refused
	case now > k.at+30*dayMs:
		return attest.Due, attest.Refused
	case k.old:
		return attest.Live, attest.Lesser
	}
	switch m.table(k, now).status {
	case dcap.UpToDate:
		return attest.Live, attest.Full
	case dcap.OutOfDate:
		return attest.Live, attest.Lesser
	}
	return attest.Outdated, attest.Refused
}

// table is the table that applies to a key.
func (m *model) table(k modelKey, now types.Moment) (in table) {
	in = m.tables[0]
	for _, t := range m.tables {
		if t.since < k.since || t.since+90*dayMs <= now {
			in = t
		}
	}
	return in
}

// Any history of admissions, revocations, tables and time leaves every key in the
// state that a plain model says.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		m := &model{keys: map[byte]modelKey{}, spent: map[byte]bool{}, revoked: map[byte]bool{},
			tables: []table{{0, dcap.UpToDate}}, next: types.Moment(dev.ValidUntil) * 1000}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			w.clock.now += types.Moment(rapid.SampledFrom([]uint64{1000, 86400_000, 10 * 86400_000, 40 * 86400_000}).Draw(r, "time"))
			w.Block(func(e *frame.Env) { step(r, w, e, m) })
			e := w.Env()
			for key := range byte(12) {
				s := w.p.Standing(e, attest.EnclaveKey{key})
				if state, grade := m.state(key, w.clock.now); s.State != state || s.Grade != grade {
					r.Fatalf("key %d is %v, %v; want %v, %v", key, s.State, s.Grade, state, grade)
				}
			}
		}
	})
}

func step(r *rapid.T, w *world, e *frame.Env, m *model) {
	key, platformOf := rapid.ByteRange(0, 11).Draw(r, "key"), rapid.ByteRange(0, 2).Draw(r, "platform")
	switch rapid.IntRange(0, 6).Draw(r, "action") {
	case 0:
		m.admit(r, w, e, key, platformOf, rapid.Bool().Draw(r, "old"))
	case 1:
		w.p.Retire(e, attest.EnclaveKey{key})
		if _, ok := m.keys[key]; ok {
			delete(m.keys, key)
			m.spent[key] = true
		}
	case 2:
		w.p.Suspend(e, attest.EnclaveKey{key})
		if k, ok := m.keys[key]; ok {
			k.suspended = true
			m.keys[key] = k
		}
	case 3:
		status := rapid.SampledFrom([]dcap.Status{dcap.UpToDate, dcap.OutOfDate, dcap.OutOfDateConfigurationNeeded, dcap.Revoked}).Draw(r, "status")
		m.publish(r, w, e, status)
	case 4:
		if rapid.IntRange(0, 3).Draw(r, "revoke") == 0 {
			m.revoked[platformOf] = true
		}
		m.publish(r, w, e, m.tables[len(m.tables)-1].status)
	default:
		m.renew(r, w, e, key, rapid.Bool().Draw(r, "old"))
	}
}

// renew is fresh evidence of a key, whose platform may have been updated, or set back.
func (m *model) renew(r *rapid.T, w *world, e *frame.Env, key byte, old bool) {
	k := m.keys[key]
	s := platform(k.platform)
	if old {
		s.Processor.SGX[0] = 6
	}
	_, err := w.again(e, key, s.Quote())
	_, can := m.keys[key]
	status := m.table(k, w.clock.now).status
	can = can && !k.suspended && !m.revoked[k.platform] && w.clock.now <= m.next+30*dayMs+999 && (old || status == dcap.UpToDate || status == dcap.OutOfDate)
	if (err == nil) != can {
		r.Fatalf("key %d attests again: %v, although it can is %v", key, err, can)
	}
	if can {
		k.at, k.old = w.clock.now, old
		m.keys[key] = k
	}
}

func (m *model) admit(r *rapid.T, w *world, e *frame.Env, key, on byte, old bool) {
	s := platform(on)
	if old {
		s.Processor.SGX[0] = 6
	}
	ev, err := w.p.Verify(e, s.Quote())
	newest := m.tables[len(m.tables)-1].status
	can := !m.revoked[on] && w.clock.now <= m.next+7*dayMs+999 && (old || newest == dcap.UpToDate || newest == dcap.OutOfDate)
	if (err == nil) != can {
		r.Fatalf("evidence of platform %d: %v, although it can be taken is %v", on, err, can)
	}
	if err != nil {
		return
	}
	_, lives := m.keys[key]
	n := 0
	for _, k := range m.keys {
		if k.platform == on {
			n++
		}
	}
	can = !lives && !m.spent[key] && n < 8
	if err := w.p.Admit(e, attest.EnclaveKey{key}, ev); (err == nil) != can {
		r.Fatalf("admitting key %d: %v, although it can be is %v", key, err, can)
	}
	if can {
		m.keys[key] = modelKey{platform: on, since: w.clock.now, at: w.clock.now, old: old}
	}
}

// publish is the vendor's newest word, brought by somebody.
func (m *model) publish(r *rapid.T, w *world, e *frame.Env, status dcap.Status) {
	s := vendor(tee.SGX, w.now(), func(s *dev.Specimen) {
		s.Info.Levels[0].Status = status
		for p := range byte(3) {
			if m.revoked[p] {
				s.PCKList.Revoked = append(s.PCKList.Revoked, platform(p).PCK.Serial)
			}
		}
	})
	b, chain := s.Bundle(), s.Chain()
	for _, part := range allParts {
		if err := w.submitSigned(e, part, b, chain); err != nil {
			r.Fatalf("part %d: %v", part, err)
		}
	}
	if m.tables[len(m.tables)-1].status != status {
		m.tables = append(m.tables, table{w.clock.now, status})
	}
	m.next = types.Moment(w.now()+30*86400) * 1000
}

// FuzzCalls submits any bytes as every kind of collateral: an error that the pallet
// declares, and no trace.
func FuzzCalls(f *testing.F) {
	s := vendor(tee.SGX, dev.ValidFrom+400*86400, nil)
	b, chain := s.Bundle(), s.Chain()
	f.Add(chain[1], chain[2], b.RootCRL)
	f.Add(b.Signer, chain[2], b.TCBInfo.Body)
	f.Add(b.Signer, chain[2], b.QEIdentity.Body)
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, first, root, body []byte) {
		e := w.Runtime.Begin(w.State, w.Header())
		before := e.Changes()
		for name, args := range map[string]any{
			"submit_root_list":      &attest.RootListArgs{Root: root, List: body},
			"submit_processor_list": &attest.ProcessorListArgs{Authority: first, Root: root, List: body},
			"submit_tcb_info":       &attest.CollateralArgs{Signer: first, Root: root, Body: body, Signature: b.TCBInfo.Signature},
			"submit_qe_identity":    &attest.CollateralArgs{Signer: first, Root: root, Body: body, Signature: b.QEIdentity.Signature},
		} {
			call, err := w.Runtime.NewRuntimeCall("Attest", name, args)
			if err != nil {
				t.Fatal(err)
			}
			if call.Dispatch(e, frame.Signed(alice)) != nil && len(e.Changes()) != len(before) {
				t.Errorf("%s failed and left something behind", name)
			}
			e = w.Runtime.Begin(w.State, w.Header())
		}
	})
}

// BenchmarkVerify is a registration with all collateral in state: cold, with the
// authorities' signatures, and warm, when they are known.
func BenchmarkVerify(b *testing.B) {
	for _, warm := range []bool{false, true} {
		b.Run(map[bool]string{false: "Cold", true: "Warm"}[warm], func(b *testing.B) {
			w := newWorld(b)
			raw := quote(tee.SGX, 1, [64]byte{1})
			if warm {
				w.Block(func(e *frame.Env) {
					if _, err := w.p.Verify(e, raw); err != nil {
						b.Fatal(err)
					}
				})
			} else {
				w.Block(func(e *frame.Env) {
					for d := range w.p.Certificates.All(e) {
						w.p.Certificates.Kill(e, d)
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				e := w.Runtime.Begin(w.State, w.Header())
				if _, err := w.p.Verify(e, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStanding is what a heartbeat costs here: state decoded once a block.
func BenchmarkStanding(b *testing.B) {
	w := newWorld(b)
	w.Block(func(e *frame.Env) {
		for k := range byte(8) {
			w.admit(e, 1, k)
		}
	})
	e := w.Env()
	b.ReportAllocs()
	for b.Loop() {
		if s := w.p.Standing(e, attest.EnclaveKey{3}); s.State != attest.Live {
			b.Fatal(s)
		}
	}
}

// BenchmarkSubmit is what collateral costs: the parts of one kind of platform.
func BenchmarkSubmit(b *testing.B) {
	w := newWorld(b)
	s := vendor(tee.TDX, w.now(), func(s *dev.Specimen) {
		for i := range 1000 {
			s.PCKList.Revoked = append(s.PCKList.Revoked, dcap.Serial{1, byte(i >> 8), byte(i)})
		}
	})
	bundle := s.Bundle()
	chain := s.Chain()
	calls := map[string]any{
		"List":  &attest.ProcessorListArgs{Authority: chain[1], Root: chain[2], List: bundle.PCKCRL},
		"Table": &attest.CollateralArgs{Signer: bundle.Signer, Root: chain[2], Body: bytes.Clone(bundle.TCBInfo.Body), Signature: bundle.TCBInfo.Signature},
	}
	for _, name := range []string{"List", "Table"} {
		b.Run(name, func(b *testing.B) {
			call, err := w.Runtime.NewRuntimeCall("Attest", map[string]string{"List": "submit_processor_list", "Table": "submit_tcb_info"}[name], calls[name])
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := call.Dispatch(w.Runtime.Begin(w.State, w.Header()), frame.Signed(alice)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
