package proof

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
)

func exampleReport() *Report {
	return &Report{Lineage: Lineage{1}, Slot: 600, Hash: Hash{2}, Beacon: Hash{3}, Counter: 9, Challenged: Hash{4},
		Plan: Totals{Root: Hash{5}, Filler: 100, Data: 20, New: 7}, Bad: []UnitID{{6}, {7}}, Files: Hash{8}, FilesSize: 12345, Due: 3}
}

func exampleFiles() *FileReport {
	r := &FileReport{Lineage: Lineage{1}, Sequence: 5, Counter: 9, Head: Hash{7}}
	r.Added = []Added{{cid(1), 10}, {cid(2), 20}}
	if bytes.Compare(cid(1), cid(2)) > 0 {
		r.Added[0], r.Added[1] = r.Added[1], r.Added[0]
	}
	r.Deleted = [][]byte{cid(3)}
	return r
}

func exampleTransition() *Transition {
	return &Transition{Drop: []UnitID{{1}}, Fillers: []Descriptor{unit(1, 8)}, Data: []Descriptor{unit(2, 3)}, Forget: []FileID{{4}},
		Keep: []File{{cid(1), FileID{5}, 100, []Part{{UnitID{6}, 2}}}}}
}

func exampleAudit() *AuditAnswer {
	h := &Held{Unit: UnitID{1}, Leaves: 3, InUnit: []Hash{{2}}, InPlan: Path{{true, Node{Hash{3}, 4}}}, Other: Hash{5}}
	return &AuditAnswer{Lineage{1}, 600, []Answer{{Held: h}, {Lost: &Lost{unit(1, 2), Path{}, Hash{6}}}}}
}

// codec is a message type, for tests that go over all of them.
type codec interface {
	scale.Marshaler
	scale.Unmarshaler
}

var messages = []struct {
	name  string
	value codec
	fresh func() codec
}{
	{"report", exampleReport(), func() codec { return new(Report) }},
	{"loss", &Loss{Lineage{1}, 700, 9, Hash{1}, Totals{Filler: 3}, Hash{2}, 7, 8}, func() codec { return new(Loss) }},
	{"files", exampleFiles(), func() codec { return new(FileReport) }},
	{"record", &Record{Key: Hash{1}, Lineage: Lineage{2}, Counter: 3, Plan: Totals{Filler: 4}, Changes: 5}, func() codec { return new(Record) }},
	{"transition", exampleTransition(), func() codec { return new(Transition) }},
	{"audit", exampleAudit(), func() codec { return new(AuditAnswer) }},
	{"file", &exampleTransition().Keep[0], func() codec { return new(File) }},
	{"change", &Change{true, cid(1), 3}, func() codec { return new(Change) }},
	{"params", &Params{1, 2, 3, 4}, func() codec { return new(Params) }},
}

func TestMessagesRoundTrip(t *testing.T) {
	for _, m := range messages {
		enc := scale.Encode(m.value)
		got := m.fresh()
		if err := scale.Decode(enc, got); err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if diff := cmp.Diff(m.value, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.name, diff)
		}
		for n := range enc {
			if scale.Decode(enc[:n], m.fresh()) == nil {
				t.Errorf("%s: %d of %d bytes decode", m.name, n, len(enc))
			}
		}
	}
	full := exampleReport()
	full.Bad = []UnitID{{1}, {2}, {3}, {4}}
	if n := len(scale.Encode(full)); n != MaxReport {
		t.Errorf("the longest report has %d bytes, MaxReport says %d", n, MaxReport)
	}
}

func TestMessagesRefused(t *testing.T) {
	report := func(f func(*Report)) codec { r := exampleReport(); f(r); return r }
	files := func(f func(*FileReport)) codec { r := exampleFiles(); f(r); return r }
	many := make([]Added, 301)
	for i := range many {
		many[i] = Added{CID: cid(1)}
	}
	for name, m := range map[string]codec{
		"five bad units":         report(func(r *Report) { r.Bad = []UnitID{{1}, {2}, {3}, {4}, {5}} }),
		"bad units out of order": report(func(r *Report) { r.Bad = []UnitID{{2}, {1}} }),
		"a bad unit twice":       report(func(r *Report) { r.Bad = []UnitID{{2}, {2}} }),
		"more new than data":     report(func(r *Report) { r.Plan.New = r.Plan.Data + 1 }),
		"sums that overflow":     report(func(r *Report) { r.Plan.Filler = 1<<63 - 5 }),
		"files of 2^63 bytes":    report(func(r *Report) { r.FilesSize = 1 << 63 }),
		"an empty file report":   files(func(r *FileReport) { r.Added, r.Deleted = nil, nil }),
		"301 changes":            files(func(r *FileReport) { r.Added = many }),
		"out of order":           files(func(r *FileReport) { r.Added[0], r.Added[1] = r.Added[1], r.Added[0] }),
		"twice":                  files(func(r *FileReport) { r.Added[0] = r.Added[1] }),
		"added and deleted":      files(func(r *FileReport) { r.Deleted[0] = r.Added[0].CID }),
		"CID of version 0":       files(func(r *FileReport) { r.Deleted[0] = append([]byte{0x12, 32}, make([]byte, 32)...) }),
		"identity CID":           files(func(r *FileReport) { r.Deleted[0] = append([]byte{1, 0x55, 0, 32}, make([]byte, 32)...) }),
	} {
		var into codec = new(FileReport)
		if _, ok := m.(*Report); ok {
			into = new(Report)
		}
		if err := scale.Decode(scale.Encode(m), into); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What one enclave says under one network and one set of parameters is worth
// nothing elsewhere.
func TestSignedBytesBind(t *testing.T) {
	key := ed25519.FromSeed([32]byte{9})
	p := Params{16384, 1024, 50, 100}
	r := exampleReport()
	sig := key.Sign(r.Message(Hash{1}, &p))
	if !Verify(key.Public(), r.Message(Hash{1}, &p), sig) {
		t.Fatal("own signature")
	}
	for name, m := range map[string][]byte{
		"genesis": r.Message(Hash{2}, &p),
		"samples": r.Message(Hash{1}, &Params{16384, 1, 50, 100}),
		"beacon":  func() []byte { o := *r; o.Beacon[0] ^= 1; return o.Message(Hash{1}, &p) }(),
		"lineage": func() []byte { o := *r; o.Lineage[0] ^= 1; return o.Message(Hash{1}, &p) }(),
	} {
		if Verify(key.Public(), m, sig) {
			t.Errorf("%s: the signature holds", name)
		}
	}
}

// FuzzMessages: no bytes panic, and what decodes encodes to the same bytes.
func FuzzMessages(f *testing.F) {
	for i, m := range messages {
		f.Add(uint8(i), scale.Encode(m.value))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		m := messages[int(which)%len(messages)].fresh()
		if scale.Decode(b, m) != nil {
			return
		}
		if enc := scale.Encode(m); !bytes.Equal(enc, b) {
			t.Fatalf("%x decodes and encodes to %x", b, enc)
		}
	})
}

// FuzzVerifyAudit: no answer panics, and none but the right one holds.
func FuzzVerifyAudit(f *testing.F) {
	s := newStored(f)
	tot := s.plan.Totals()
	samples := []Sample{{3, 9}, {17, 2}}
	right := &AuditAnswer{Leaves: []Answer{{Held: s.answer(f, samples[0])}, {Held: s.answer(f, samples[1])}}}
	enc := scale.Encode(right)
	f.Add(enc)
	f.Fuzz(func(t *testing.T, b []byte) {
		var a AuditAnswer
		if scale.Decode(b, &a) != nil {
			return
		}
		a.Lineage, a.Slot = Lineage{}, 0
		if VerifyAudit(&a, &tot, samples, nil) == nil && !bytes.Equal(scale.Encode(&a), enc) {
			t.Fatalf("another answer holds: %x", b)
		}
	})
}

func BenchmarkVerifyReport(b *testing.B) {
	key := ed25519.FromSeed([32]byte{9})
	p := Params{16384, 1024, 50, 100}
	r := exampleReport()
	enc, sig := scale.Encode(r), key.Sign(r.Message(Hash{1}, &p))
	b.ReportAllocs()
	for b.Loop() {
		var r Report
		if err := scale.Decode(enc, &r); err != nil || !Verify(key.Public(), r.Message(Hash{1}, &p), sig) {
			b.Fatal(err)
		}
	}
}
