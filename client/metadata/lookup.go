package metadata

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// NameError says that something does not exist, and what comes close to it.
type NameError struct {
	What string   // "pallet", "call of Balances" …
	Name string   // as it was given
	Near []string // at most three that may have been meant
	All  []string // everything there is, if that is not much
}

// Error names the thing and gives a hint.
func (e *NameError) Error() string {
	text := fmt.Sprintf("there is no %s called %q", e.What, clip(e.Name))
	switch {
	case len(e.Near) > 0:
		return text + "; did you mean " + strings.Join(e.Near, " or ") + "?"
	case len(e.All) > 0:
		return text + "; there are " + strings.Join(e.All, ", ")
	}
	return text + "; there are none"
}

const (
	maxNear = 3  // suggestions in an error
	maxAll  = 40 // names that an error lists in full
)

// find returns the element with a name, in any style.
func find[T any](items []T, what, name string, nameOf func(*T) string) (*T, error) {
	for i := range items {
		if nameOf(&items[i]) == name {
			return &items[i], nil
		}
	}
	want := fold(name)
	for i := range items {
		if fold(nameOf(&items[i])) == want {
			return &items[i], nil
		}
	}
	names := make([]string, len(items))
	for i := range items {
		names[i] = nameOf(&items[i])
	}
	return nil, newNameError(what, name, names)
}

func newNameError(what, name string, names []string) *NameError {
	e := &NameError{What: what, Name: name, Near: Nearest(name, names)}
	if len(names) <= maxAll {
		e.All = names
	} else {
		e.All = append(slices.Clone(names[:maxAll]), "…")
	}
	return e
}

// Nearest returns up to three of the names that name may be a slip of.
func Nearest(name string, names []string) []string {
	type near struct {
		name string
		far  int
	}
	want := fold(clip(name))
	var found []near
	for _, n := range names {
		has := fold(n)
		far := distance(want, has)
		if far > max(1, min(len(want), len(has))/3) {
			if len(want) < 3 || !strings.Contains(has, want) {
				continue
			}
			far = len(has)
		}
		found = append(found, near{n, far})
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.far, b.far) })
	var out []string
	for _, f := range found[:min(len(found), maxNear)] {
		out = append(out, f.name)
	}
	return out
}

// distance counts the insertions, deletions, replacements and swaps of neighbours
// from a to b.
func distance(a, b string) int {
	var before []int // the row before the last
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := last[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// clip keeps errors short whatever was given.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:61], "") + "…"
	}
	return s
}

// Pallet returns the pallet called name.
func (m *Metadata) Pallet(name string) (*Pallet, error) {
	return find(m.Pallets, "pallet", name, func(p *Pallet) string { return p.Name })
}

// PalletAt returns the pallet with an index, or nil.
func (m *Metadata) PalletAt(index uint8) *Pallet {
	for i := range m.Pallets {
		if m.Pallets[i].Index == index {
			return &m.Pallets[i]
		}
	}
	return nil
}

// Storage returns a storage item.
func (m *Metadata) Storage(pallet, item string) (*StorageItem, error) {
	p, err := m.Pallet(pallet)
	if err != nil {
		return nil, err
	}
	return find(p.Storage, "storage item of "+p.Name, item, func(s *StorageItem) string { return s.Name })
}

// Constant returns a constant of a pallet.
func (m *Metadata) Constant(pallet, name string) (*Constant, error) {
	p, err := m.Pallet(pallet)
	if err != nil {
		return nil, err
	}
	return find(p.Constants, "constant of "+p.Name, name, func(c *Constant) string { return c.Name })
}

// CallVariant returns a pallet and the description of one of its calls.
func (m *Metadata) CallVariant(pallet, call string) (*Pallet, *VariantType, error) {
	p, err := m.Pallet(pallet)
	if err != nil {
		return nil, nil, err
	}
	v, err := find(m.Variants(p.Calls), "call of "+p.Name, call, func(v *VariantType) string { return v.Name })
	return p, v, err
}

// Variants lists the alternatives of an enum: the calls, events or errors of a
// pallet. It is empty for NoType and for types that are no enum.
func (m *Metadata) Variants(id TypeID) []VariantType {
	if int(id) >= len(m.Types) {
		return nil
	}
	return m.Types[id].Variants
}

// Method returns a function of a runtime API. Only V15 describes them.
func (m *Metadata) Method(api, method string) (*API, *Method, error) {
	if len(m.APIs) == 0 {
		return nil, nil, fmt.Errorf("the chain describes no runtime APIs in metadata V%d; its runtime must write V15", m.Version)
	}
	a, err := find(m.APIs, "runtime API", api, func(a *API) string { return a.Name })
	if err != nil {
		return nil, nil, err
	}
	f, err := find(a.Methods, "function of "+a.Name, method, func(f *Method) string { return f.Name })
	return a, f, err
}

// HasExtension reports whether transactions carry the extension.
func (m *Metadata) HasExtension(identifier string) bool {
	return slices.ContainsFunc(m.Extrinsic.Extensions, func(e Extension) bool { return e.Identifier == identifier })
}

// IsEmpty reports whether values of a type take no bytes.
func (m *Metadata) IsEmpty(id TypeID) bool {
	if int(id) >= len(m.Types) {
		return false
	}
	_, err := m.Decode(id, nil)
	return err == nil
}
