package trusted

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// given is a reader that gives what it was given.
type given struct{ bytes.Buffer }

// Keys, records, units and tickets are those of another program that read the same
// document.
func TestVectors(t *testing.T) {
	var v struct {
		Filler struct {
			RootKey    hexBytes `json:"root_key"`
			Lineage    hexBytes
			ID         hexBytes
			Leaves     uint32
			Leaf3      hexBytes   `json:"first32_of_leaf_3"`
			Hashes     []hexBytes `json:"leaf_hashes"`
			Descriptor hexBytes
		}
		Data struct {
			ID, File, Descriptor hexBytes
			Cids                 []hexBytes
			RecordHashes         []hexBytes `json:"record_hashes"`
			FirstRecord          hexBytes   `json:"first_record"`
			UnitHash             hexBytes   `json:"unit_hash"`
		}
		Index  struct{ Entry hexBytes }
		Ticket struct{ Filler, Data, File hexBytes }
	}
	raw, err := os.ReadFile("../proof/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	check := func(what string, got, want []byte) {
		t.Helper()
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", what, got, want)
		}
	}

	random := new(given)
	random.Write(v.Filler.RootKey)
	random.Write(bytes.Repeat([]byte{1}, 32)) // the enclave key is not in the vectors
	random.Write(v.Filler.Lineage)
	core, err := New(newChain().birth(t), Env{Rand: random})
	if err != nil {
		t.Fatal(err)
	}
	random.Write(v.Filler.ID)
	f, err := core.OpenFiller(v.Filler.Leaves)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, int(v.Filler.Leaves)*proof.LeafSize)
	hashes, err := f.Next(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range hashes {
		check("leaf hash", hashes[i][:], v.Filler.Hashes[i])
	}
	check("leaf 3", b[3*proof.LeafSize:][:32], v.Filler.Leaf3)
	d, ticket, err := core.CloseFiller(f)
	if err != nil {
		t.Fatal(err)
	}
	check("filler", scale.Encode(&d), v.Filler.Descriptor)
	check("filler's ticket", ticket[:], v.Ticket.Filler)

	random.Write(v.Data.ID)
	u, err := core.OpenData(proof.MaxUnitLeaves)
	if err != nil {
		t.Fatal(err)
	}
	var unit []byte
	for i, block := range [][]byte{[]byte("first block"), pattern()} {
		cid, err := dag.ParseCID(v.Data.Cids[i])
		if err != nil || !cid.Matches(block) {
			t.Fatal(cid, err)
		}
		e := u.put(proof.FileID(v.Data.File), cid, block)
		unit = append(unit, e.Bytes...)
		sum := sha256.Sum256(e.Bytes)
		check("record", sum[:], v.Data.RecordHashes[i])
	}
	check("first record", unit[:len(v.Data.FirstRecord)], v.Data.FirstRecord)
	e, d, ticket, _, err := core.CloseData(u)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(unit, e.Bytes...))
	check("unit", sum[:], v.Data.UnitHash)
	check("data unit", scale.Encode(&d), v.Data.Descriptor)
	check("data unit's ticket", ticket[:], v.Ticket.Data)
	var entry proof.File
	if err := scale.Decode(v.Index.Entry, &entry); err != nil {
		t.Fatal(err)
	}
	ticket = core.secret.fileTicket(&entry)
	check("file's ticket", ticket[:], v.Ticket.File)
}

// pattern is the second block of the vectors: bytes 0 to 255, 300 times.
func pattern() []byte {
	var row []byte
	for i := range 256 {
		row = append(row, byte(i))
	}
	return slices.Repeat(row, 300)
}
