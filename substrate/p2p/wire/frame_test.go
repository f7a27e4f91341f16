package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"
)

// frame is a message as it is on the wire.
func frame(msg []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(msg))), msg...)
}

func FuzzReadFrame(f *testing.F) {
	for _, seed := range [][]byte{nil, {0}, {1, 2}, {0x80, 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 1}, frame(make([]byte, 300))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 10
		msg, err := Read(bufio.NewReader(bytes.NewReader(b)), limit)
		if err != nil {
			return
		}
		if again := frame(msg); len(msg) > limit || !bytes.HasPrefix(b, again) {
			t.Errorf("%x was read as %x", b, msg)
		}
	})
}

func TestReadLongFrame(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	got, err := Read(bufio.NewReader(bytes.NewReader(frame(want))), 16<<20)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	_, err = Read(bufio.NewReader(bytes.NewReader(frame(want)[:3<<20])), 16<<20)
	if err == nil {
		t.Error("half a frame was read")
	}
}
