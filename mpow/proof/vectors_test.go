package proof

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/scale"
)

// hexBytes is bytes in hexadecimal, as the vectors have them.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func (h hexBytes) hash() Hash { return Hash(h) }

// vectors were computed by another program from docs/protocol/mpow.md, in another
// language; package trusted reads what concerns it from the same file.
type vectors struct {
	Filler struct {
		ID, Key, Descriptor hexBytes
		Leaves              int
		LeafHashes          []hexBytes `json:"leaf_hashes"`
		UnitRoot            hexBytes   `json:"unit_root"`
	}
	Plan struct {
		Fillers, Data []hexBytes
		Root, Empty   hexBytes
		Filler        uint64
		DataLeaves    uint64 `json:"data_leaves"`
	}
	Chance struct {
		Randomness, Beacon, Root hexBytes
		Outputs                  []hexBytes
		Counter                  uint64
		ChallengeSeed            hexBytes `json:"challenge_seed"`
		AuditSeed                hexBytes `json:"audit_seed"`
		Challenges               []struct {
			Filler, Data, New uint64
			N                 uint32
			Leaves            []uint64
		}
		Audit struct {
			Filler, Data uint64
			DueIn        []uint64 `json:"due_in"`
			Leaves       []uint64
			Subs         []int
		}
	}
	Messages struct {
		Report, Loss, Files struct{ Scale, Message, Signature hexBytes }
		Key, Genesis        hexBytes
	}
	Register struct {
		Genesis, Account, Pubkey, Lineage, Anchor hexBytes
		ReportData                                hexBytes `json:"report_data"`
	}
	Index struct{ Entry, Change, Head, Files, Empty hexBytes }
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestVectorsUnit(t *testing.T) {
	v := readVectors(t).Filler
	block, err := aes.NewCipher(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, v.Leaves*LeafSize)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(b, b)
	var h Hasher
	var u UnitHasher
	for i := range v.Leaves {
		l := h.Leaf(b[i*LeafSize : (i+1)*LeafSize])
		same(t, "leaf hash", v.LeafHashes[i].hash(), l)
		u.Add(l)
	}
	same(t, "unit root", v.UnitRoot.hash(), u.Root())
	d := Descriptor{v.ID.hash(), u.Leaves(), u.Root()}
	same(t, "descriptor", []byte(v.Descriptor), scale.Encode(&d))
}

func TestVectorsPlan(t *testing.T) {
	v := readVectors(t).Plan
	var p Plan
	for k, encoded := range [2][]hexBytes{v.Fillers, v.Data} {
		for _, e := range encoded {
			var d Descriptor
			if err := scale.Decode(e, &d); err != nil {
				t.Fatal(err)
			}
			if err := p.Load(Kind(k), []Descriptor{d}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.SetNew(0); err != nil {
		t.Fatal(err)
	}
	same(t, "totals", Totals{v.Root.hash(), v.Filler, v.DataLeaves, 0}, p.Totals())
	same(t, "empty plan", v.Empty.hash(), EmptyTotals().Root)
}

func TestVectorsChance(t *testing.T) {
	v := readVectors(t).Chance
	beacon := Beacon(v.Randomness.hash(), [4]Hash{v.Outputs[0].hash(), v.Outputs[1].hash(), v.Outputs[2].hash(), v.Outputs[3].hash()})
	same(t, "beacon", v.Beacon.hash(), beacon)
	l := Lineage(slices.Repeat([]byte{0x22}, 16))
	challenge, audit := ChallengeSeed(beacon, l, v.Root.hash(), v.Counter), AuditSeed(beacon, l, v.Root.hash(), v.Counter)
	same(t, "challenge seed", Seed(v.ChallengeSeed.hash()), challenge)
	same(t, "audit seed", Seed(v.AuditSeed.hash()), audit)
	for _, c := range v.Challenges {
		got := Challenge(challenge, &Totals{Filler: c.Filler, Data: c.Data, New: c.New}, c.N)
		if !slices.Equal(got, c.Leaves) {
			t.Errorf("challenge of %d, %d, %d: %v, want %v", c.Filler, c.Data, c.New, got, c.Leaves)
		}
	}
	var due []uint64
	for odds := uint64(1); odds < 60; odds++ {
		if AuditDue(audit, odds) {
			due = append(due, odds)
		}
	}
	same(t, "odds at which the audit is due", v.Audit.DueIn, due)
	var want []Sample
	for i, leaf := range v.Audit.Leaves {
		want = append(want, Sample{leaf, v.Audit.Subs[i]})
	}
	same(t, "audit", want, Audit(audit, &Totals{Filler: v.Audit.Filler, Data: v.Audit.Data}))
}

func TestVectorsMessages(t *testing.T) {
	v := readVectors(t)
	p := &Params{16384, 1024, 50, 100}
	genesis := v.Messages.Genesis.hash()
	var r Report
	var l Loss
	var f FileReport
	for _, c := range []struct {
		name    string
		v       struct{ Scale, Message, Signature hexBytes }
		into    codec
		message func() []byte
	}{
		{"report", v.Messages.Report, &r, func() []byte { return r.Message(genesis, p) }},
		{"loss", v.Messages.Loss, &l, func() []byte { return l.Message(genesis, p) }},
		{"files", v.Messages.Files, &f, func() []byte { return f.Message(genesis) }},
	} {
		if err := scale.Decode(c.v.Scale, c.into); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		same(t, c.name, []byte(c.v.Scale), scale.Encode(c.into))
		same(t, c.name+"'s signed bytes", []byte(c.v.Message), c.message())
		if !Verify(v.Messages.Key.hash(), c.message(), [64]byte(c.v.Signature)) {
			t.Errorf("%s: signature", c.name)
		}
	}
	g := v.Register
	data := ReportData(g.Genesis.hash(), g.Account.hash(), g.Pubkey.hash(), Lineage(g.Lineage), g.Anchor.hash())
	same(t, "report data", []byte(g.ReportData), data[:])
}

func TestVectorsIndex(t *testing.T) {
	v := readVectors(t).Index
	var f File
	if err := scale.Decode(v.Entry, &f); err != nil {
		t.Fatal(err)
	}
	same(t, "entry", []byte(v.Entry), scale.Encode(&f))
	var g Ledger
	g.LoadFiles([]File{f})
	c := Change{true, f.CID, f.Size}
	same(t, "change", []byte(v.Change), scale.Encode(&c))
	g.Log.Add(c)
	same(t, "head", v.Head.hash(), g.Log.head)
	got, size := g.Index()
	if same(t, "index", v.Files.hash(), got); size != f.Size {
		t.Errorf("size %d, want %d", size, f.Size)
	}
	same(t, "empty index", v.Empty.hash(), EmptyIndex())
}
