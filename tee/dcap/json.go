package dcap

import "encoding/hex"

// maxNesting bounds objects and arrays within each other in what is skipped.
const maxNesting = 8

// text reads the JSON that vendors sign: without white space, with strings of
// printable ASCII without escapes, and with natural numbers. It is a reader of its
// own because what the same signed bytes mean must never differ: encoding/json
// takes keys in any case, and twice, and its next version does not.
//
// The first failure sticks; a reader that has failed returns nothing more.
type text struct {
	b      []byte
	failed bool
}

func (t *text) fail() { t.failed, t.b = true, nil }

// next is the next byte, 0 at the end.
func (t *text) next() byte {
	if len(t.b) == 0 {
		return 0
	}
	return t.b[0]
}

// take reads one byte, which must be c.
func (t *text) take(c byte) {
	if t.next() != c {
		t.fail()
		return
	}
	t.b = t.b[1:]
}

// end demands that nothing is left.
func (t *text) end() {
	if len(t.b) != 0 {
		t.fail()
	}
}

// object reads an object and calls f at the value of each key that is in keys, with
// its index; f must read the value. The first required keys must be there, no known
// key twice, and unknown ones are skipped: vendors add some.
func (t *text) object(keys []string, required int, f func(key int)) {
	t.fields(keys, required, maxNesting, f)
}

func (t *text) fields(keys []string, required, levels int, f func(key int)) {
	t.take('{')
	seen := uint32(0)
	for first := true; !t.failed && t.next() != '}'; first = false {
		if !first {
			t.take(',')
		}
		name := t.str()
		t.take(':')
		if t.failed {
			return
		}
		k := 0
		for k < len(keys) && keys[k] != string(name) {
			k++
		}
		if k == len(keys) {
			t.skip(levels)
			continue
		}
		if seen&(1<<k) != 0 {
			t.fail()
			return
		}
		seen |= 1 << k
		f(k)
	}
	t.take('}')
	if all := uint32(1)<<required - 1; seen&all != all {
		t.fail()
	}
}

// array reads an array of at most limit elements and calls f at each.
func (t *text) array(limit int, f func(i int)) (n int) {
	t.take('[')
	for ; !t.failed && t.next() != ']'; n++ {
		if n > 0 {
			t.take(',')
		}
		if n == limit {
			t.fail()
			return n
		}
		f(n)
	}
	t.take(']')
	return n
}

// str reads a string.
func (t *text) str() []byte {
	t.take('"')
	for i, c := range t.b {
		switch {
		case c == '"':
			s := t.b[:i]
			t.b = t.b[i+1:]
			return s
		case c < ' ' || c > '~' || c == '\\':
			t.fail()
			return nil
		}
	}
	t.fail()
	return nil
}

// num reads a natural number up to limit, without zeros before it.
func (t *text) num(limit uint32) uint32 {
	i, n := 0, uint64(0)
	for i < len(t.b) && t.b[i] >= '0' && t.b[i] <= '9' && n <= uint64(limit) {
		n = n*10 + uint64(t.b[i]-'0')
		i++
	}
	if i == 0 || i > 1 && t.b[0] == '0' || n > uint64(limit) {
		t.fail()
		return 0
	}
	t.b = t.b[i:]
	return uint32(n)
}

// hex reads a string of hexadecimal digits, of either case, of exactly that length.
func (t *text) hex(into []byte) {
	s := t.str()
	if len(s) != 2*len(into) {
		t.fail()
		return
	}
	if _, err := hex.Decode(into, s); err != nil {
		t.fail()
	}
}

// date reads a time like 2022-12-19T09:40:10Z, in seconds since 1970.
func (t *text) date() uint64 {
	s := t.str()
	const shape = "....-..-..T..:..:..Z"
	if len(s) != len(shape) {
		t.fail()
		return 0
	}
	for i := range shape {
		if shape[i] != '.' && shape[i] != s[i] {
			t.fail()
			return 0
		}
	}
	year, ok := number(s[:4])
	var parts [5]int
	for i := range parts {
		n, good := number(s[5+3*i : 7+3*i])
		parts[i], ok = n, ok && good
	}
	at, valid := seconds(year, parts)
	if !ok || !valid {
		t.fail()
		return 0
	}
	return at
}

// skip reads any value of at most that many levels.
func (t *text) skip(levels int) {
	if levels == 0 {
		t.fail()
		return
	}
	switch c := t.next(); {
	case c == '"':
		t.str()
	case c == '{':
		t.fields(nil, 0, levels-1, nil)
	case c == '[':
		t.array(len(t.b), func(int) { t.skip(levels - 1) })
	case c >= '0' && c <= '9':
		t.num(1<<32 - 1)
	default:
		for _, word := range []string{"true", "false", "null"} {
			if len(t.b) >= len(word) && string(t.b[:len(word)]) == word {
				t.b = t.b[len(word):]
				return
			}
		}
		t.fail()
	}
}
