package pinning

import (
	"encoding/binary"
	"testing"

	gocid "github.com/ipfs/go-cid"

	"github.com/crustgo/crust/mpow/dag"
)

func textOf(c dag.CID) string {
	x, err := gocid.Cast(c.Bytes())
	if err != nil {
		panic(err)
	}
	return x.String()
}

// carOf is an archive of one raw block, byte by byte.
func carOf(t *testing.T, content string) []byte {
	t.Helper()
	c := dag.Sum(dag.Raw, []byte(content)).Bytes()
	link := append([]byte{0xd8, 42, 0x58, byte(len(c) + 1), 0}, c...)
	header := append([]byte{0xa2, 0x65}, "roots"...)
	header = append(append(header, 0x81), link...)
	header = append(append(append(header, 0x67), "version"...), 1)
	out := append(binary.AppendUvarint(nil, uint64(len(header))), header...)
	out = binary.AppendUvarint(out, uint64(len(c)+len(content)))
	return append(append(out, c...), content...)
}
