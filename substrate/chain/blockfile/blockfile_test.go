package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

var genesis = types.Hash{1, 2, 3}

// records are blocks 5 to 8, every second with a justification.
func records() (out []*Record) {
	for n := types.BlockNumber(5); n < 9; n++ {
		r := &Record{Block: types.Block{Header: types.Header{Number: n, StateRoot: types.Hash{byte(n)}},
			Body: []types.Extrinsic{append(scale.AppendCompact(nil, uint64(n)), bytes.Repeat([]byte{9}, int(n))...)}}}
		if n%2 == 0 {
			r.Justification = bytes.Repeat([]byte{byte(n)}, int(n))
		}
		out = append(out, r)
	}
	return out
}

func file(t testing.TB, recs []*Record) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, genesis)
	for _, r := range recs {
		if err == nil {
			err = w.Write(&r.Block, r.Justification)
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func readAll(b []byte) (recs []*Record, g types.Hash, err error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, g, err
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			if _, again := r.Next(); again != io.EOF || r.Offset() != int64(len(b)) {
				return recs, r.Genesis(), errors.New("the end is not the end")
			}
			return recs, r.Genesis(), nil
		}
		if err != nil {
			return recs, r.Genesis(), err
		}
		recs = append(recs, rec)
	}
}

func TestRoundTrip(t *testing.T) {
	for n := range 5 {
		want := records()[:n]
		got, g, err := readAll(file(t, want))
		if err != nil || g != genesis || len(got) != n {
			t.Fatalf("%d records: %d, genesis %v, %v", n, len(got), g, err)
		}
		for i := range want {
			if diff := cmp.Diff(want[i], got[i]); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestCutOff(t *testing.T) {
	b := file(t, records())
	for n := range b {
		recs, _, err := readAll(b[:n])
		want := ErrTruncated
		if n < headerSize {
			want = ErrFormat
		}
		if !errors.Is(err, want) {
			t.Fatalf("%d of %d bytes: %d records, %v", n, len(b), len(recs), err)
		}
	}
}

func TestWrongFiles(t *testing.T) {
	good := file(t, records())
	change := func(f func(b []byte) []byte) []byte { return f(append([]byte{}, good...)) }
	for name, b := range map[string][]byte{
		"magic":       change(func(b []byte) []byte { b[0] ^= 1; return b }),
		"version":     change(func(b []byte) []byte { b[8]++; return b }),
		"trailing":    change(func(b []byte) []byte { return append(b, 0) }),
		"count":       change(func(b []byte) []byte { b[len(b)-8]++; return b }),
		"long record": change(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[headerSize:], MaxRecordBytes+1); return b }),
		"record that is too short": change(func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[headerSize:], binary.LittleEndian.Uint32(b[headerSize:])-1)
			return b
		}),
		"order": append(append([]byte{}, good[:headerSize]...), append(record(records()[2]), record(records()[0])...)...),
	} {
		if _, _, err := readAll(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func record(r *Record) []byte {
	body := r.Block.AppendSCALE(nil)
	if r.Justification == nil {
		body = append(body, 0)
	} else {
		body = scale.AppendBytes(append(body, 1), r.Justification)
	}
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestWriterRefuses(t *testing.T) {
	w, err := NewWriter(io.Discard, genesis)
	if err != nil {
		t.Fatal(err)
	}
	recs := records()
	if err := w.Write(&recs[0].Block, make([]byte, MaxJustificationBytes+1)); err == nil {
		t.Error("a justification that no reader takes was written")
	}
	if err := w.Write(&recs[0].Block, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&recs[2].Block, nil); err == nil {
		t.Error("a gap was written")
	}
}

// A length that the file does not have costs no memory.
func TestHostileLength(t *testing.T) {
	b := file(t, nil)[:headerSize]
	b = binary.LittleEndian.AppendUint32(b, MaxRecordBytes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := readAll(b)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrTruncated) || n > 2<<20 {
		t.Errorf("%d bytes for a file of %d, %v", n, len(b), err)
	}
}

// What is read is written as it was.
func FuzzReader(f *testing.F) {
	f.Add(file(f, records()))
	f.Add(file(f, nil))
	f.Add(file(f, records()[:1])[:80])
	f.Fuzz(func(t *testing.T, b []byte) {
		recs, g, err := readAll(b)
		if err != nil {
			return
		}
		var buf bytes.Buffer
		w, err := NewWriter(&buf, g)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			if err := w.Write(&r.Block, r.Justification); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf.Bytes(), b) {
			t.Errorf("%x was read, and written as %x", b, buf.Bytes())
		}
	})
}
