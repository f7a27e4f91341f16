package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
)

var me = proof.Lineage{1}

func open(t *testing.T, cfg Config) *Disk {
	t.Helper()
	d, err := Open(cfg, me)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// write makes a unit of some leaves in a file of at most limit.
func write(d *Disk, no uint64, leaves, limit uint32) ([]byte, error) {
	w, err := d.Create(no, limit)
	if err != nil {
		return nil, err
	}
	b := make([]byte, int(leaves)*proof.LeafSize)
	var h proof.Hasher
	var hashes []proof.Hash
	for i := range int(leaves) {
		leaf := b[i*proof.LeafSize : (i+1)*proof.LeafSize]
		leaf[0], leaf[len(leaf)-1] = byte(i), byte(no)
		hashes = append(hashes, h.Leaf(leaf))
	}
	half := len(b) / 3 // appended in two pieces that end within a leaf
	if err := w.Append(0, b[:half], hashes[:half/proof.LeafSize]); err != nil {
		return nil, err
	}
	if err := w.Append(uint64(half), b[half:], hashes[half/proof.LeafSize:]); err != nil {
		return nil, err
	}
	if err := w.Close(proof.UnitRoot(hashes)); err != nil {
		return nil, err
	}
	if w.Append(w.end, make([]byte, 1), nil) == nil {
		return nil, errors.New("a complete unit was appended to")
	}
	return b, nil
}

func TestUnit(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Config{Dir: dir})
	for _, leaves := range []uint32{1, 2, 3, 7, 16} {
		b, err := write(d, uint64(leaves), leaves, 16)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(d.path(uint64(leaves))); err != nil || uint64(info.Size()) != FileSize(leaves) {
			t.Fatalf("%d leaves: %v, %v", leaves, info.Size(), err)
		}
		var h proof.Hasher
		leaf := make([]byte, proof.LeafSize)
		for i := range leaves {
			if err := d.ReadLeaf(uint64(leaves), i, leaf); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(leaf, b[int(i)*proof.LeafSize:][:proof.LeafSize]) {
				t.Fatalf("leaf %d of %d is another", i, leaves)
			}
			path, err := d.Path(uint64(leaves), i, leaves)
			if err != nil {
				t.Fatal(err)
			}
			var hashes []proof.Hash
			for k := range leaves {
				hashes = append(hashes, h.Leaf(b[int(k)*proof.LeafSize:][:proof.LeafSize]))
			}
			if root, err := proof.UnitRootFrom(h.Leaf(leaf), i, leaves, path); err != nil || root != proof.UnitRoot(hashes) {
				t.Fatalf("path of leaf %d of %d: %v", i, leaves, err)
			}
		}
	}
	used := d.Status().Used
	d.Close()
	d = open(t, Config{Dir: dir})
	if s := d.Status(); s.Used != used || s.Units != 5 || !d.Has(7, 7) || d.Has(7, 8) || d.Has(8, 8) {
		t.Fatalf("opened again: %+v, used were %d", s, used)
	}
	if n, err := d.Sweep(func(no uint64) bool { return no == 7 }); err != nil || n != 4 {
		t.Fatalf("swept %d: %v", n, err)
	}
	if s := d.Status(); s.Used != FileSize(7) || s.Units != 1 {
		t.Fatalf("after the sweep: %+v", s)
	}
}

// TestTorn leaves units that were not completed, as a crash does.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Config{Dir: dir})
	w, err := d.Create(1, 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(0, make([]byte, 100), nil); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = open(t, Config{Dir: dir})
	if n, err := d.Sweep(func(uint64) bool { return false }); err != nil || n != 1 || d.Status().Used != 0 {
		t.Fatalf("swept %d: %v", n, err)
	}
	if err := d.ReadLeaf(1, 0, make([]byte, proof.LeafSize)); !errors.Is(err, ErrRead) && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestDiscard(t *testing.T) {
	d := open(t, Config{Dir: t.TempDir(), Limit: FileSize(8)})
	w, err := d.Create(1, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(2, 8); !errors.Is(err, ErrFull) {
		t.Fatalf("beyond the limit: %v", err)
	}
	if err := w.Append(1, make([]byte, 10), nil); err == nil {
		t.Fatal("a hole was written")
	}
	if err := w.Close(proof.Hash{}); err == nil {
		t.Fatal("closed without a leaf")
	}
	w.Discard() // twice is once
	if s := d.Status(); s.Used != 0 || s.Free != FileSize(8) {
		t.Fatalf("%+v", s)
	}
	if _, err := os.Stat(d.path(1)); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestSteps writes units of less and more than is written at a time, in pieces of odd lengths, and
// reads them back.
func TestSteps(t *testing.T) {
	const step = writeStep / proof.LeafSize
	d := open(t, Config{Dir: t.TempDir()})
	for _, leaves := range []uint32{step - 1, step, step + 1, 7*step + 1} { // memory is written again after four
		b, err := write(d, uint64(leaves), leaves, 8*step)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(d.path(uint64(leaves)))
		if err != nil {
			t.Fatal(err)
		}
		if uint64(len(got)) != FileSize(leaves) || !bytes.Equal(got[:len(b)], b) {
			t.Errorf("%d leaves: %d bytes, and not what was written", leaves, len(got))
		}
	}
}

// TestLateError has a disk fail after bytes were taken: whoever goes on learns it, Close at the
// latest.
func TestLateError(t *testing.T) {
	for _, steps := range []int{0, 1, onTheirWay, onTheirWay + 1, 7} { // from the fourth on Append tells
		d := open(t, Config{Dir: t.TempDir()})
		w, err := d.Create(1, 8*writeStep/proof.LeafSize)
		if err != nil {
			t.Fatal(err)
		}
		w.f.Close()
		hashes := make([]proof.Hash, writeStep/proof.LeafSize)
		var all []proof.Hash
		for i := 0; i < steps && err == nil; i++ {
			err = w.Append(uint64(i)*writeStep, make([]byte, writeStep), hashes)
			all = append(all, hashes...)
		}
		if told := err != nil; told != (steps > onTheirWay) {
			t.Errorf("%d steps: Append told %v", steps, err)
		}
		if err == nil {
			if err = w.Append(uint64(steps)*writeStep, make([]byte, proof.LeafSize), hashes[:1]); err != nil {
				t.Fatalf("%d steps: an error of bytes that were not on their way: %v", steps, err)
			}
			err = w.Close(proof.UnitRoot(append(all, hashes[0])))
		}
		if !errors.Is(err, ErrWrite) || d.Has(1, uint32(len(all))+1) || d.Status().Err == nil {
			t.Errorf("%d steps: %v", steps, err)
		}
		w.Discard()
		if s := d.Status(); s.Used != 0 {
			t.Errorf("%d steps: %d bytes in use", steps, s.Used)
		}
	}
}

// TestWrongRoot writes other bytes than the enclave says.
func TestWrongRoot(t *testing.T) {
	d := open(t, Config{Dir: t.TempDir()})
	w, err := d.Create(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(0, make([]byte, proof.LeafSize), make([]proof.Hash, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(proof.Hash{9}); err == nil || d.Has(1, 1) {
		t.Fatalf("completed: %v", err)
	}
}

func TestOtherDisks(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}, me); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("opened twice: %v", err)
	}
	d.Close()
	if _, err := Open(Config{Dir: dir}, proof.Lineage{2}); err == nil || !strings.Contains(err.Error(), "belongs to worker") {
		t.Fatalf("opened by another worker: %v", err)
	}
	path := filepath.Join(dir, manifestName)
	for _, b := range []string{"", "{}", "null", `{"format":2}`, `{"format":1,"disk":"zz","worker":"01"}`, `{"more":1}`} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: dir}, me); err == nil {
			t.Fatalf("opened with manifest %q", b)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}, me); err == nil || !strings.Contains(err.Error(), "has units") {
		t.Fatalf("opened without its manifest: %v", err)
	}
}

// TestVanished takes the directory away, as unmounting does, and brings it back.
func TestVanished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	d := open(t, Config{Dir: dir})
	if _, err := write(d, 1, 2, 2); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := d.Recheck(); !errors.Is(err, ErrVanished) || !errors.As(err, &e) || !strings.Contains(err.Error(), "mount it again") {
		t.Fatal(err)
	}
	if err := d.ReadLeaf(1, 0, make([]byte, proof.LeafSize)); err == nil {
		t.Fatal("read from nowhere")
	}
	if _, err := d.Create(2, 2); !errors.Is(err, ErrVanished) {
		t.Fatal(err)
	}
	other := open(t, Config{Dir: dir}) // another disk in its place
	if err := d.Recheck(); !errors.Is(err, ErrVanished) {
		t.Fatal(err)
	}
	other.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if err := d.Recheck(); err != nil {
		t.Fatal(err)
	}
	if _, err := write(d, 2, 2, 2); err != nil {
		t.Fatal(err)
	}
}

// FuzzManifest reads what may lie on a disk that somebody else wrote.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"disk":"00000000000000000000000000000001","worker":"01000000000000000000000000000000"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readManifest("m", b, me); err == nil && !bytes.Contains(b, []byte("01000000000000000000000000000000")) {
			t.Fatalf("taken: %q", b)
		}
	})
}
