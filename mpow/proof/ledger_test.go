package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/scale"
)

const testLeaves = 8 // UnitLeaves of these tests

// unit is a descriptor that no other number gives.
func unit(i uint64, leaves uint32) Descriptor {
	return Descriptor{ID: UnitID(noise(i<<1, 32)), Leaves: leaves, Root: Hash(noise(i<<1|1, 32))}
}

func cid(i uint64) []byte {
	return dag.Sum(dag.Raw, binary.LittleEndian.AppendUint64(nil, i)).Bytes()
}

// model is a ledger in the simplest form: lists.
type model struct {
	filler, old, fresh []Descriptor
	files              []File
	changes            []Change
}

// remove follows docs/protocol/mpow.md §3 word by word.
func (m *model) remove(id UnitID) {
	has := func(l []Descriptor) int {
		return slices.IndexFunc(l, func(d Descriptor) bool { return d.ID == id })
	}
	if i := has(m.filler); i >= 0 {
		m.filler[i] = m.filler[len(m.filler)-1]
		m.filler = m.filler[:len(m.filler)-1]
	} else if i := has(m.fresh); i >= 0 {
		m.fresh[i] = m.fresh[len(m.fresh)-1]
		m.fresh = m.fresh[:len(m.fresh)-1]
	} else if i := has(m.old); i >= 0 {
		m.old[i] = m.old[len(m.old)-1]
		m.old = m.old[:len(m.old)-1]
		if n := len(m.fresh); n > 0 { // the last of all moves to the front of the new ones
			m.fresh = append([]Descriptor{m.fresh[n-1]}, m.fresh[:n-1]...)
		}
	}
}

func (m *model) totals() Totals {
	var f, d []Node
	t := Totals{}
	for i := range m.filler {
		f = append(f, m.filler[i].node())
	}
	for _, l := range [][]Descriptor{m.old, m.fresh} {
		for i := range l {
			d = append(d, l[i].node())
		}
	}
	for i := range m.fresh {
		t.New += uint64(m.fresh[i].Leaves)
	}
	a, b := naiveSum(f), naiveSum(d)
	t.Root, t.Filler, t.Data = planRoot(&a, &b), a.Sum, b.Sum
	return t
}

// move applies a transition; the model trusts that it fits.
func (m *model) move(tr *Transition, loss bool) {
	if !loss {
		m.old, m.fresh = append(m.old, m.fresh...), nil
	}
	order := map[UnitID]int{} // positions, descending
	for i, d := range slices.Concat(m.old, m.fresh) {
		order[d.ID] = i
	}
	for i, d := range m.filler {
		order[d.ID] = i
	}
	drop := slices.Clone(tr.Drop)
	slices.SortFunc(drop, func(a, b UnitID) int { return order[b] - order[a] })
	for _, id := range drop {
		m.remove(id)
	}
	m.filler = append(m.filler, tr.Fillers...)
	m.fresh = append(m.fresh, tr.Data...)

	cids := func(fs []File) (all []string) {
		for i := range fs {
			all = append(all, string(fs[i].CID))
		}
		return all
	}
	var gone []File
	for i := len(m.files) - 1; i >= 0; i-- {
		if slices.Contains(tr.Forget, m.files[i].ID) {
			gone = append(gone, m.files[i])
			m.files[i] = m.files[len(m.files)-1]
			m.files = m.files[:len(m.files)-1]
		}
	}
	for _, id := range tr.Forget {
		f := gone[slices.IndexFunc(gone, func(f File) bool { return f.ID == id })]
		if !slices.Contains(cids(tr.Keep), string(f.CID)) {
			m.changes = append(m.changes, Change{CID: f.CID})
		}
	}
	for _, f := range tr.Keep {
		as := slices.IndexFunc(gone, func(g File) bool { return string(g.CID) == string(f.CID) })
		if as < 0 || bytes.Equal(scale.Encode(&gone[as]), scale.Encode(&f)) {
			m.changes = append(m.changes, Change{true, f.CID, f.Size})
		}
	}
	m.files = append(m.files, tr.Keep...)
}

// draw makes a transition that fits the model.
func (m *model) draw(t *rapid.T, next *uint64, loss bool) *Transition {
	tr := new(Transition)
	all := slices.Concat(m.filler, m.old, m.fresh)
	for _, d := range all {
		if rapid.IntRange(0, 3).Draw(t, "drop") == 0 {
			tr.Drop = append(tr.Drop, d.ID)
		}
	}
	tr.Drop = rapid.Permutation(tr.Drop).Draw(t, "order")
	if !loss {
		for range rapid.IntRange(0, 4).Draw(t, "fillers") {
			*next++
			tr.Fillers = append(tr.Fillers, unit(*next, testLeaves))
		}
		for range rapid.IntRange(0, 4).Draw(t, "data") {
			*next++
			tr.Data = append(tr.Data, unit(*next, rapid.Uint32Range(1, testLeaves).Draw(t, "leaves")))
		}
	}
	var stay []UnitID
	for _, d := range slices.Concat(m.old, m.fresh, tr.Data) {
		if !slices.Contains(tr.Drop, d.ID) {
			stay = append(stay, d.ID)
		}
	}
	slices.SortFunc(stay, compare)
	parts := func() (ps []Part) {
		for _, id := range stay {
			if rapid.Bool().Draw(t, "part") {
				ps = append(ps, Part{id, rapid.Uint32Range(1, 9).Draw(t, "records")})
			}
		}
		return ps
	}
	for i := range m.files {
		f := m.files[i]
		if lost := slices.ContainsFunc(f.Parts, func(p Part) bool { return slices.Contains(tr.Drop, p.Unit) }); lost || rapid.IntRange(0, 4).Draw(t, "forget") == 0 {
			tr.Forget = append(tr.Forget, f.ID)
			if !lost && rapid.IntRange(0, 2).Draw(t, "again") == 0 {
				tr.Keep = append(tr.Keep, f)
			} else if ps := parts(); len(ps) > 0 && rapid.Bool().Draw(t, "rewrite") {
				tr.Keep = append(tr.Keep, File{f.CID, f.ID, f.Size, ps})
			}
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "files") {
		*next++
		if ps := parts(); len(ps) > 0 {
			tr.Keep = append(tr.Keep, File{cid(*next), FileID(noise(*next, 16)), *next, ps})
		}
	}
	return tr
}

// A ledger moves as its model does, which is made of lists; it survives being
// written down and read back; a clone that moved leaves it alone.
func TestLedgerModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g Ledger
		var m model
		next := uint64(0)
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			loss := rapid.IntRange(0, 3).Draw(t, "kind") == 0
			tr := m.draw(t, &next, loss)
			var read Transition
			if err := scale.Decode(scale.Encode(tr), &read); err != nil {
				t.Fatal(err)
			}
			before, index, moved := g.Plan.Totals(), scale.AppendBool(nil, true), g.Clone()
			c, s := g.Index()
			index = scale.AppendU64(append(index, c[:]...), s)
			if err := moved.Apply(&read, loss, testLeaves); err != nil {
				t.Fatal(err)
			}
			if c, s = g.Index(); g.Plan.Totals() != before || !slices.Equal(index, scale.AppendU64(append([]byte{1}, c[:]...), s)) {
				t.Fatal("a clone that moved changed the ledger")
			}
			g = moved
			m.move(tr, loss)
			m.check(t, &g)
		}
	})
}

func (m *model) check(t *rapid.T, g *Ledger) {
	want := m.totals()
	if got := g.Plan.Totals(); got != want {
		t.Fatalf("totals %+v, want %+v", got, want)
	}
	if diff := cmp.Diff(m.changes, g.Log.Changes()); diff != "" {
		t.Fatalf("log (-want +got):\n%s", diff)
	}
	var read Ledger
	read.Log = NewLog(0, Hash{})
	read.Log.Add(g.Log.Changes()...)
	var files []File
	for _, f := range g.Files() {
		files = append(files, *f)
	}
	read.LoadFiles(files)
	for _, k := range [2]Kind{Filler, Data} {
		var ds []Descriptor
		for _, d := range g.Plan.Units(k) {
			ds = append(ds, *d)
		}
		if err := read.Plan.Load(k, ds); err != nil {
			t.Fatal(err)
		}
	}
	if err := read.Plan.SetNew(want.New); err != nil {
		t.Fatal(err)
	}
	a, n := g.Index()
	if b, n2 := read.Index(); read.Plan.Totals() != want || a != b || n != n2 {
		t.Fatal("a ledger that is read back differs")
	}
	at := 0
	for _, d := range slices.Concat(m.filler, m.old, m.fresh) {
		for l := range d.Leaves {
			p, err := g.Plan.Find(uint64(at))
			if err != nil || *p.Unit != d || p.Leaf != l {
				t.Fatalf("leaf %d: %+v, %v; want leaf %d of %x", at, p, err, l, d.ID)
			}
			at++
		}
	}
	if _, err := g.Plan.Find(uint64(at)); err == nil {
		t.Fatal("a leaf beyond the plan")
	}
}

func TestTransitionRefused(t *testing.T) {
	var g Ledger
	a, b, d := unit(1, testLeaves), unit(2, testLeaves), unit(3, 2)
	f := File{cid(1), FileID{1}, 10, []Part{{d.ID, 1}}}
	if err := g.Apply(&Transition{Fillers: []Descriptor{a, b}, Data: []Descriptor{d}, Keep: []File{f}}, false, testLeaves); err != nil {
		t.Fatal(err)
	}
	other := File{cid(2), FileID{2}, 10, []Part{{UnitID{9}, 1}}}
	for name, tr := range map[string]Transition{
		"unit that is there":        {Fillers: []Descriptor{a}},
		"same unit as data":         {Data: []Descriptor{a}},
		"unit twice":                {Data: []Descriptor{unit(7, 1), unit(7, 1)}},
		"short filler":              {Fillers: []Descriptor{unit(7, testLeaves-1)}},
		"long data":                 {Data: []Descriptor{unit(7, testLeaves+1)}},
		"empty data":                {Data: []Descriptor{unit(7, 0)}},
		"dropped, not there":        {Drop: []UnitID{{5}}},
		"dropped twice":             {Drop: []UnitID{a.ID, a.ID}},
		"dropped and back":          {Drop: []UnitID{a.ID}, Fillers: []Descriptor{a}},
		"unit of a file":            {Drop: []UnitID{d.ID}},
		"file that is held":         {Keep: []File{f}},
		"its CID under another id":  {Keep: []File{{cid(1), FileID{3}, 10, f.Parts}}},
		"file in no unit":           {Keep: []File{other}},
		"file in a unit that goes":  {Drop: []UnitID{d.ID}, Forget: []FileID{f.ID}, Keep: []File{{cid(3), FileID{3}, 1, f.Parts}}},
		"file in a filler":          {Keep: []File{{cid(3), FileID{3}, 1, []Part{{a.ID, 1}}}}},
		"file without parts":        {Keep: []File{{CID: cid(3), ID: FileID{3}}}},
		"forgotten, not there":      {Forget: []FileID{{8}}},
		"forgotten twice":           {Forget: []FileID{f.ID, f.ID}},
		"file twice":                {Forget: []FileID{f.ID}, Keep: []File{f, f}},
		"CID that is not canonical": {Keep: []File{{cid(3)[:20], FileID{3}, 1, f.Parts}}},
	} {
		c := g.Clone()
		if err := c.Apply(&tr, false, testLeaves); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	c := g.Clone()
	if err := c.Apply(&Transition{Drop: []UnitID{d.ID}, Forget: []FileID{f.ID}}, true, testLeaves); err != nil {
		t.Error(err)
	}
	if err := g.Plan.SetNew(1); err == nil {
		t.Error("a border inside a unit")
	}
	if err := g.Plan.SetNew(3); err == nil {
		t.Error("more new leaves than there are")
	}
}

// File reports tell the log in order, never one CID twice in a report, and their
// heads are those of the log.
func TestFileReports(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := NewLog(7, Hash{1})
		var all []Change
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			g := Change{CID: cid(rapid.Uint64Range(0, 9).Draw(t, "cid"))}
			if g.Added = rapid.Bool().Draw(t, "added"); g.Added {
				g.Size = 5
			}
			all = append(all, g)
		}
		l.Add(all...)
		told, head := uint64(0), Hash{1}
		for l.Base() < l.Len() {
			r, err := l.Report(l.Base(), rapid.IntRange(1, 400).Draw(t, "limit"), Lineage{1}, 3)
			if err != nil {
				t.Fatal(err)
			}
			var read FileReport
			if err := scale.Decode(scale.Encode(r), &read); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*r, read, cmp.Transformer("", func(b [][]byte) []string { return nil })); r.Sequence != 7+told || diff != "" && read.Len() != r.Len() {
				t.Fatalf("sequence %d, %s", r.Sequence, diff)
			}
			for range r.Len() {
				g := all[told]
				head = g.after(head)
				_, added := slices.BinarySearchFunc(r.Added, g.CID, func(a Added, c []byte) int { return slices.Compare(a.CID, c) })
				_, deleted := slices.BinarySearchFunc(r.Deleted, g.CID, slices.Compare)
				if added != g.Added || deleted == g.Added {
					t.Fatalf("change %d: %+v is not in %+v", told, g, r)
				}
				told++
			}
			if r.Head != head {
				t.Fatal("head differs")
			}
			if err := l.Accepted(7 + told); err != nil {
				t.Fatal(err)
			}
		}
		if told != uint64(len(all)) {
			t.Fatalf("%d changes told, there were %d", told, len(all))
		}
		if _, err := l.Report(l.Len(), 1, Lineage{}, 0); err == nil {
			t.Fatal("an empty file report")
		}
		if l.Accepted(l.Len()+1) == nil || l.Accepted(6) == nil {
			t.Fatal("a number that is not in the log")
		}
	})
}

// simulated fills a plan as a worker of 500 TiB would have it.
func simulated(fillers, data int) *Plan {
	p := new(Plan)
	units := make([]Descriptor, fillers)
	for i := range units {
		u := &units[i]
		binary.LittleEndian.PutUint64(u.ID[:], uint64(i)+1)
		u.Leaves = MaxUnitLeaves
	}
	if err := errors.Join(p.Load(Filler, units[:fillers-data]), p.Load(Data, units[fillers-data:])); err != nil {
		panic(err)
	}
	return p
}

func benchmarkStep(b *testing.B, units int) {
	g := Ledger{Plan: *simulated(units, units/4)}
	next := uint64(1 << 40)
	b.ReportAllocs()
	for b.Loop() {
		tr := new(Transition)
		for range 8 {
			next++
			tr.Fillers = append(tr.Fillers, Descriptor{ID: UnitID(noise(next, 32)), Leaves: MaxUnitLeaves})
		}
		c := g.Clone()
		if err := c.Apply(tr, false, MaxUnitLeaves); err != nil {
			b.Fatal(err)
		}
		c.Plan.Totals()
	}
}

func BenchmarkStep1GiB(b *testing.B)   { benchmarkStep(b, 4) }
func BenchmarkStep500TiB(b *testing.B) { benchmarkStep(b, 512_000) }
