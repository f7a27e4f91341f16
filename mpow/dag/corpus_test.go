package dag

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// The corpus was built by another program that never parses: its measured sizes
// hold for every version of this one.
func TestCorpus(t *testing.T) {
	raw, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var corpus []struct {
		Name, Root string
		M          uint64
		Blocks     map[string]string
	}
	if err := json.Unmarshal(raw, &corpus); err != nil || len(corpus) == 0 {
		t.Fatal(len(corpus), err)
	}
	for _, d := range corpus {
		t.Run(d.Name, func(t *testing.T) {
			root, err := ParseCID(unhex(t, d.Root))
			if err != nil {
				t.Fatal(err)
			}
			w, err := NewWalk(root, d.M)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for want := []CID{root}; len(want) > 0; n++ {
				b, ok := d.Blocks[fmt.Sprintf("%x", want[0].Bytes())]
				if !ok {
					t.Fatalf("%v is wanted", want[0])
				}
				links, err := w.Accept(want[0], unhex(t, b))
				if err != nil {
					t.Fatal(err)
				}
				want = append(want[1:], links...)
			}
			if !w.Done() || w.Size() != d.M || n != len(d.Blocks) {
				t.Errorf("%d bytes in %d blocks, want %d in %d", w.Size(), n, d.M, len(d.Blocks))
			}
		})
	}
}
