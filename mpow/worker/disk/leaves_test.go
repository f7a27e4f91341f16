package disk

import (
	"bytes"
	"os"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
)

// TestReader reads leaves of units on two disks together, among them what is not there, what is cut short, and
// what is to go where a disk cannot put it; with the system's queue and without.
func TestReader(t *testing.T) {
	disks := []*Disk{open(t, Config{Dir: t.TempDir()}), open(t, Config{Dir: t.TempDir()})}
	var units [2][]byte
	for i, d := range disks {
		b, err := write(d, 1, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		if units[i] = b; i == 1 {
			for k := range 2 {
				if _, err := write(d, uint64(2+k), 4, 4); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := os.Remove(disks[1].path(2)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disks[1].path(3), 2*proof.LeafSize+100); err != nil {
		t.Fatal(err)
	}
	const most = 12
	for _, queued := range []bool{true, false} {
		r := NewReader(most)
		defer r.Close()
		if !queued {
			r.queue.close()
		}
		for round := range 20 {
			var reads []LeafRead
			for i := range most {
				reads = append(reads, LeafRead{Disk: disks[i%2], Unit: 1, Leaf: uint32((3*i + round) % 16), Into: r.Room(i)})
			}
			reads[3].Unit = 2                                  // not there
			reads[5].Unit, reads[5].Leaf = 3, 2                // cut short
			reads[7].Into = make([]byte, proof.LeafSize+1)[1:] // at an odd address
			reads[8].Err, reads[8].done = os.ErrInvalid, true  // from another time
			r.Read(reads)
			for i, l := range reads {
				if bad := i == 3 || i == 5; bad != (l.Err != nil) {
					t.Fatalf("queued %v, leaf %d: %v", queued, i, l.Err)
				} else if want := units[i%2][int(l.Leaf)*proof.LeafSize:][:proof.LeafSize]; !bad && !bytes.Equal(l.Into, want) {
					t.Fatalf("queued %v, leaf %d is another", queued, i)
				}
			}
		}
	}
}

// A reader of fewer leaves than it is asked for reads them all the same.
func TestReaderOfMany(t *testing.T) {
	d := open(t, Config{Dir: t.TempDir()})
	b, err := write(d, 1, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(2)
	defer r.Close()
	reads := make([]LeafRead, 8)
	for i := range reads {
		reads[i] = LeafRead{Disk: d, Unit: 1, Leaf: uint32(i), Into: Leaves(1)}
	}
	r.Read(reads)
	for i, l := range reads {
		if l.Err != nil || !bytes.Equal(l.Into, b[i*proof.LeafSize:][:proof.LeafSize]) {
			t.Fatalf("leaf %d: %v", i, l.Err)
		}
	}
}

// BenchmarkReader reads leaves at random, together and one by one.
func BenchmarkReader(b *testing.B) {
	d, err := Open(Config{Dir: b.TempDir()}, proof.Lineage{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	const leaves, most = 1024, 32
	if _, err := write(d, 1, leaves, leaves); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"together", "alone"} {
		b.Run(name, func(b *testing.B) {
			r := NewReader(most)
			defer r.Close()
			if name == "alone" {
				r.queue.close()
			}
			b.SetBytes(most * proof.LeafSize)
			reads := make([]LeafRead, most)
			for n := 0; b.Loop(); n++ {
				for i := range reads {
					reads[i] = LeafRead{Disk: d, Unit: 1, Leaf: uint32((n*most + i) * 397 % leaves), Into: r.Room(i)}
				}
				r.Read(reads)
				for i := range reads {
					if reads[i].Err != nil {
						b.Fatal(reads[i].Err)
					}
				}
			}
		})
	}
}
