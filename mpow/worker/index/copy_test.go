package index

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// step is a copy of some step.
func step(t testing.TB, x *DB) []byte {
	t.Helper()
	var b bytes.Buffer
	tr := proof.Transition{Drop: []proof.UnitID{{3}}}
	s := &Step{UnitLeaves: 4, Transition: scale.Encode(&tr)}
	u := &Unit{Number: 7, Disk: [16]byte{1}, Desc: proof.Descriptor{ID: proof.UnitID{2}, Leaves: 4}}
	f := &File{Entry: proof.File{CID: block(1).Bytes(), ID: proof.FileID{5}, Parts: []proof.Part{{Records: 1}}}, Again: true}
	if err := x.CopyStep(&b, me, 42, 9, s, []*Unit{u}, []*File{f}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCopy writes copies and pastes them; none of a copy with a byte less, more or other is taken.
func TestCopy(t *testing.T) {
	x := open(t, filepath.Join(t.TempDir(), "index"))
	defer x.Close()
	b := step(t, x)
	if age, err := CheckCopy(bytes.NewReader(b), me); err != nil || age != 42 {
		t.Fatalf("age %d, %v", age, err)
	}
	if err := x.Paste(bytes.NewReader(b), me); err != nil {
		t.Fatal(err)
	}
	if s, err := x.Step(9); err != nil || s.UnitLeaves != 4 {
		t.Fatalf("%+v, %v", s, err)
	}
	for u, err := range x.Units() {
		if err != nil || u.Number != 7 {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	for f, err := range x.Files() {
		if err != nil || !f.Again || f.Deleted {
			t.Fatalf("%+v, %v", f, err)
		}
	}
	var all bytes.Buffer
	if err := x.CopySnapshot(&all, me, 43, 9); err != nil {
		t.Fatal(err)
	}
	if age, err := CheckCopy(&all, me); err != nil || age != 43 {
		t.Fatalf("age %d, %v", age, err)
	}
	if _, err := CheckCopy(bytes.NewReader(b), proof.Lineage{9}); !errors.Is(err, ErrCopy) {
		t.Fatalf("another worker's: %v", err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		for what, bad := range map[string][]byte{"cut": b[:i], "changed": c} {
			if _, err := CheckCopy(bytes.NewReader(bad), me); !errors.Is(err, ErrCopy) {
				t.Fatalf("%s at byte %d: %v", what, i, err)
			}
		}
	}
}

// FuzzCopy reads what a disk may have made of a copy.
func FuzzCopy(f *testing.F) {
	x, err := Open(filepath.Join(f.TempDir(), "index"), me, discard())
	if err != nil {
		f.Fatal(err)
	}
	b := step(f, x)
	if err := x.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte(copyMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := CheckCopy(bytes.NewReader(b), me); err != nil && !errors.Is(err, ErrCopy) {
			t.Fatal(err)
		}
	})
}
