package jsonrpc

import (
	"context"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// answerBytes answers one message as HTTP would, without a transport.
func (s *Server) answerBytes(msg []byte) []byte {
	var out wire.Buffer
	s.answer(context.Background(), nil, msg, &out)
	return out.B
}

// BenchmarkDispatch is the cost of one author_submitExtrinsic-like call apart
// from the transport and the handler's own work.
func BenchmarkDispatch(b *testing.B) {
	hash := Hex(make([]byte, 32))
	table, err := NewTable(Fn1("author_submitExtrinsic", func(context.Context, Hex) (Hex, error) { return hash, nil }))
	if err != nil {
		b.Fatal(err)
	}
	srv, err := NewServer(Config{}, table)
	if err != nil {
		b.Fatal(err)
	}
	msg := []byte(req("12345", "author_submitExtrinsic", `["0x`+strings.Repeat("3d", 150)+`"]`))
	out := wire.GetBuffer()
	b.ReportAllocs()
	for b.Loop() {
		out.B = out.B[:0]
		srv.answer(context.Background(), nil, msg, out)
	}
	if !strings.Contains(string(out.B), `"result":"0x00`) {
		b.Fatalf("%s", out.B)
	}
}
