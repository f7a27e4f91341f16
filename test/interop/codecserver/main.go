package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/scale"
)

func main() {
	rt := runtime.New(runtime.Development()).Frame
	s := server{rt: rt, types: metadata.Types(rt.Model(), 15)}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		answer, err := s.answer(in.Text())
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Fprintln(out, answer)
		if err := out.Flush(); err != nil {
			os.Exit(1)
		}
	}
}

type server struct {
	rt    *frame.Runtime
	types []metadata.TypeRef
}

func (s *server) answer(line string) (string, error) {
	id, text, ok := strings.Cut(line, " ")
	n, err := strconv.Atoi(id)
	if !ok || err != nil || n < 0 || n >= len(s.types) {
		return "", fmt.Errorf("want a type id below %d and hex, got %q", len(s.types), line)
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return "", err
	}
	c := scale.NewCursor(raw).WithEnv(s.rt)
	out := s.again(c, nil, s.types[n])
	if err := c.Finish(); err != nil {
		return "", err
	}
	return "0x" + hex.EncodeToString(out), nil
}

// again decodes a value and appends its encoding. Go types go through their own
// codecs; what exists only in metadata is put together from them.
func (s *server) again(c *scale.Cursor, dst []byte, t metadata.TypeRef) []byte {
	switch {
	case c.Err() != nil:
		return dst
	case t.Compact:
		lo, hi := c.Compact128()
		if bits := t.Type.Size() * 8; hi != 0 && bits < 128 || bits < 64 && lo>>bits != 0 {
			c.Fail(fmt.Errorf("compact integer does not fit %v", t.Type))
		}
		return scale.AppendCompact128(dst, lo, hi)
	case t.Def == nil:
		codec := scale.AnyCodecOf(t.Type)
		v := codec.Decode(c)
		if c.Err() != nil {
			return dst
		}
		return codec.Append(dst, v)
	case t.Def.Kind != scale.KindVariant:
		return s.fields(c, dst, t.Def.Fields)
	}
	tag := c.U8()
	for _, v := range t.Def.Variants {
		if v.Index == tag {
			return s.fields(c, append(dst, tag), v.Fields)
		}
	}
	c.Fail(fmt.Errorf("%d is not a variant of %s", tag, t.Def.Path))
	return dst
}

func (s *server) fields(c *scale.Cursor, dst []byte, fields []scale.Field) []byte {
	for _, f := range fields {
		dst = s.again(c, dst, metadata.TypeRef{Ref: metadata.Ref{Type: f.Type, Def: f.Def}, Compact: f.Compact})
	}
	return dst
}
