package protocol

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/types"
)

// unhex reads hex digits with spaces, and repeats: "ab*32" is 32 times ab.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var all []byte
	for _, word := range strings.Fields(text) {
		word, times, repeated := strings.Cut(word, "*")
		b, err := hex.DecodeString(word)
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		if repeated {
			for n = 0; times != ""; times = times[1:] {
				n = n*10 + int(times[0]-'0')
			}
		}
		all = append(all, bytes.Repeat(b, n)...)
	}
	return all
}

func fill(b byte) (h types.Hash) {
	for i := range h {
		h[i] = b
	}
	return h
}

func header() types.Header {
	return types.Header{ParentHash: fill(1), Number: 1, StateRoot: fill(2), ExtrinsicsRoot: fill(3)}
}

// headerHex is header's encoding: 32+1+32+32+1 = 98 (0x62) bytes.
const headerHex = "01*32 04 02*32 03*32 00"

// vector ties a value to its bytes, written down by hand from the schemas.
type vector struct {
	name   string
	bytes  string
	encode func() []byte
	decode func([]byte) (any, error)
	want   any
}

func vectors() []vector {
	h := header()
	byHash := BlockRequest{Fields: FieldHeader | FieldJustification, FromHash: fill(9), Direction: Descending, Max: 64}
	byNumber := BlockRequest{Fields: FieldBody, FromNumber: 258}
	blocks := BlockResponse{Blocks: []BlockData{
		{Hash: fill(4), Header: &h, Body: []types.Extrinsic{{8, 1, 2}, {4, 7}}, HasBody: true,
			Justifications: types.Justifications{{Engine: types.EngineGRANDPA, Data: []byte{5, 6}}}},
		{Hash: fill(5), HasBody: true},
	}}
	status := Status{Role: types.RoleLight, BestNumber: 258, BestHash: fill(1), Genesis: fill(2)}
	announce := Announce{Header: h, Best: true}
	call := LightRequest{Block: fill(1), Call: &RemoteCall{Method: "ab", Data: []byte{7}}}
	read := LightRequest{Block: fill(1), Read: &RemoteRead{Keys: [][]byte{[]byte(":code"), {}}}}
	child := LightRequest{Block: fill(1), Read: &RemoteRead{Child: []byte{1}, Keys: [][]byte{{2, 3}}}}
	state := StateRequest{Block: fill(1), Start: [][]byte{{1}, {2}}, NoProof: true}
	answer := StateResponse{Tries: []StateTrie{{Root: []byte{9}, Entries: []StateEntry{{[]byte{1}, []byte{2, 3}}, {Key: []byte{4}}}, Complete: true}, {}}, Proof: []byte{8}}
	xts := []types.Extrinsic{{8, 1, 2}, {4, 7}}
	decodeRequest := func(b []byte) (any, error) { return DecodeBlockRequest(b) }
	decodeLight := func(b []byte) (any, error) { return DecodeLightRequest(b) }
	decodeAnswer := func(b []byte) (any, error) { return DecodeLightResponse(b) }
	return []vector{
		{"status", "02 02010000 01*32 02*32", func() []byte { return status.Append(nil) }, func(b []byte) (any, error) { return DecodeStatus(b) }, status},
		{"announcement", headerHex + " 01 00", func() []byte { return announce.Append(nil) }, func(b []byte) (any, error) { return DecodeAnnounce(b) }, announce},
		{"transactions", "08 080102 0407", func() []byte { return AppendTransactions(nil, xts) }, func(b []byte) (any, error) { return DecodeTransactions(b) }, xts},
		// 0x11000000 as a varint is 80 80 80 88 01.
		{"blocks by hash", "08 8080808801 12 20 09*32 28 01 30 40 38 01", func() []byte { return byHash.Append(nil) }, decodeRequest, byHash},
		{"blocks by number", "08 80808010 1a 04 02010000 38 01", func() []byte { return byNumber.Append(nil) }, decodeRequest, byNumber},
		// The first block: 34 + 100 + 5 + 4 + 10 = 153 (9901) bytes.
		{"block response", "0a 9901 0a20 04*32 12 62 " + headerHex + " 1a 03 080102 1a 02 0407 42 08 04 46524e4b 08 0506" + " 0a 22 0a 20 05*32",
			func() []byte { return blocks.Append(nil) }, func(b []byte) (any, error) { return DecodeBlockResponse(b, &BlockRequest{Fields: FieldBody}) }, blocks},
		{"call", "0a 29 12 20 01*32 1a 02 6162 22 01 07", func() []byte { return call.Append(nil) }, decodeLight, call},
		{"read", "12 2b 12 20 01*32 1a 05 3a636f6465 1a 00", func() []byte { return read.Append(nil) }, decodeLight, read},
		{"read child", "22 29 12 20 01*32 1a 01 01 32 02 0203", func() []byte { return child.Append(nil) }, decodeLight, child},
		{"call answer", "0a 04 12 02 0102", func() []byte { return (&LightResponse{Call: true, HasProof: true, Proof: []byte{1, 2}}).Append(nil) }, decodeAnswer,
			LightResponse{Call: true, HasProof: true, Proof: []byte{1, 2}}},
		{"read answer without proof", "12 00", func() []byte { return (&LightResponse{}).Append(nil) }, decodeAnswer, LightResponse{}},
		{"proof", "08 08 0102 04 03", func() []byte { return AppendProof(nil, [][]byte{{1, 2}, {3}}) }, func(b []byte) (any, error) { return DecodeProof(b) }, [][]byte{{1, 2}, {3}}},
		{"state request", "0a 20 01*32 12 01 01 12 01 02 18 01", func() []byte { return state.Append(nil) }, func(b []byte) (any, error) { return DecodeStateRequest(b) }, state},
		{"state response", "0a 13 0a 01 09 12 07 0a 01 01 12 02 0203 12 03 0a 01 04 18 01 0a 00 12 01 08", func() []byte { return answer.Append(nil) },
			func(b []byte) (any, error) { return DecodeStateResponse(b) }, answer},
		{"warp request", "07*32", func() []byte { h := fill(7); return h[:] }, func(b []byte) (any, error) { return DecodeWarpRequest(b) }, fill(7)},
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.bytes)
			if diff := cmp.Diff(want, v.encode()); diff != "" {
				t.Errorf("encoding (-want +got):\n%s", diff)
			}
			got, err := v.decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.want, got); diff != "" {
				t.Errorf("decoding (-want +got):\n%s", diff)
			}
			for n := range want {
				_, _ = v.decode(want[:n]) // must not panic
			}
		})
	}
}

func TestOldJustification(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		want  types.Justifications
	}{
		"field 6":         {"0a 26 0a20 04*32 32 02 0506", types.Justifications{{Engine: types.EngineGRANDPA, Data: []byte{5, 6}}}},
		"field 7":         {"0a 24 0a20 04*32 38 01", types.Justifications{{Engine: types.EngineGRANDPA}}},
		"field 8 is used": {"0a 2f 0a20 04*32 32 01 09 42 08 04 46524e4b 08 0506", types.Justifications{{Engine: types.EngineGRANDPA, Data: []byte{5, 6}}}},
		"none":            {"0a 26 0a20 04*32 32 00 38 00", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := DecodeBlockResponse(unhex(t, c.bytes), &BlockRequest{Fields: FieldJustification})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.Blocks[0].Justifications); diff != "" || r.Blocks[0].HasBody {
				t.Errorf("has a body: %v; -want +got:\n%s", r.Blocks[0].HasBody, diff)
			}
		})
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	// Varint 9, fixed64 10, bytes 11, fixed32 12.
	b := unhex(t, "48 05 51 00*8 5a 01 00 65 00*4 1a 04 02010000")
	if r, err := DecodeBlockRequest(b); err != nil || r.FromNumber != 258 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRefused(t *testing.T) {
	req := &BlockRequest{Fields: FieldBody, Max: 1}
	response := func(b []byte) error { _, err := DecodeBlockResponse(b, req); return err }
	request := func(b []byte) error { _, err := DecodeBlockRequest(b); return err }
	light := func(b []byte) error { _, err := DecodeLightRequest(b); return err }
	state := func(b []byte) error { _, err := DecodeStateRequest(b); return err }
	status := func(b []byte) error { _, err := DecodeStatus(b); return err }
	block := unhex(t, "0a 22 0a20 04*32")
	many := &BlockData{Hash: fill(1), Body: make([]types.Extrinsic, MaxExtrinsics+1)}
	keys := &LightRequest{Block: fill(1), Read: &RemoteRead{Keys: make([][]byte, MaxReadKeys+1)}}
	long := &LightRequest{Block: fill(1), Read: &RemoteRead{Keys: [][]byte{make([]byte, MaxKeyBytes+1)}}}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no first block":      {request(nil), "without a first block"},
		"short hash":          {request(unhex(t, "12 01 00")), "hash of 1 bytes"},
		"short number":        {request(unhex(t, "1a 01 00")), "number of 1 bytes"},
		"direction":           {request(unhex(t, "1a 04 00*4 28 02")), "direction 2"},
		"group":               {request(unhex(t, "0b 0c")), "groups"},
		"big request":         {request(make([]byte, MaxRequestBytes+1)), "at most"},
		"more blocks":         {response(append(block, block...)), "more than the 1 blocks"},
		"block without hash":  {response(unhex(t, "0a 00")), "no hash"},
		"too many extrinsics": {response(many.Append(nil)), "extrinsics"},
		"header with a rest":  {response(unhex(t, "0a 86 01 12 63 "+headerHex+" 00 0a 20 04*32")), ""},
		"big response":        {response(make([]byte, MaxResponseBytes+1)), "at most"},
		"nothing asked":       {light(nil), "asks for nothing"},
		"no block":            {light(unhex(t, "12 00")), "without a block"},
		"many keys":           {light(keys.Append(nil)), "keys"},
		"long key":            {light(long.Append(nil)), "storage key of"},
		"third start key":     {state(unhex(t, "0a 20 01*32 12 00 12 00 12 00")), "start key 2"},
		"role":                {status(unhex(t, "03 00*68")), "role 3"},
		"status with a rest":  {status(unhex(t, "01 00*69")), ""},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: got %v", name, c.err)
		}
	}
	if r, err := DecodeBlockRequest(unhex(t, "1a 04 00*4 30 ffffffff0f")); err != nil || r.Max != MaxBlocks {
		t.Errorf("got %+v, %v", r, err)
	}
}

// FuzzDecode gives foreign bytes to every decoder. What one accepts it must accept
// again, as the same, after encoding.
func FuzzDecode(f *testing.F) {
	for i, v := range vectors() {
		f.Add(uint8(i), v.encode())
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		v := vectors()[int(kind)%len(vectors())]
		got, err := v.decode(b)
		if err != nil {
			return
		}
		var again []byte
		switch x := got.(type) {
		case Status:
			again = x.Append(nil)
		case Announce:
			again = x.Append(nil)
		case []types.Extrinsic:
			again = AppendTransactions(nil, x)
		case BlockRequest:
			again = x.Append(nil)
		case BlockResponse:
			again = x.Append(nil)
		case LightRequest:
			again = x.Append(nil)
		case LightResponse:
			again = x.Append(nil)
		case [][]byte:
			again = AppendProof(nil, x)
		case StateRequest:
			again = x.Append(nil)
		case StateResponse:
			again = x.Append(nil)
		case types.Hash:
			again = x[:]
		default:
			t.Fatalf("no encoder for %T", got)
		}
		back, err := v.decode(again)
		if err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		if diff := cmp.Diff(got, back, equateEmpty); diff != "" {
			t.Fatal(diff)
		}
	})
}

// equateEmpty takes nil and empty bytes for the same: on the wire they are.
var equateEmpty = cmp.FilterValues(func(a, b []byte) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())

// full is a response of 128 blocks with 100 extrinsics each.
func full() BlockResponse {
	var r BlockResponse
	for i := range MaxBlocks {
		h := header()
		h.Number = types.BlockNumber(i)
		h.Digest = types.Digest{types.PreRuntime(types.EngineBABE, make([]byte, 120)), types.Seal(types.EngineBABE, make([]byte, 64))}
		d := BlockData{Hash: h.Hash(), Header: &h, HasBody: true}
		for range 100 {
			d.Body = append(d.Body, make(types.Extrinsic, 145))
		}
		r.Blocks = append(r.Blocks, d)
	}
	return r
}

func BenchmarkDecodeBlockResponse(b *testing.B) {
	r := full()
	bytes := r.Append(nil)
	req := &BlockRequest{Fields: FieldHeader | FieldBody}
	b.SetBytes(int64(len(bytes)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeBlockResponse(bytes, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBlockResponse(b *testing.B) {
	r := full()
	bytes := r.Append(nil)
	b.SetBytes(int64(len(bytes)))
	b.ReportAllocs()
	for b.Loop() {
		bytes = r.Append(bytes[:0])
	}
}
