package p2p

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"pgregory.net/rapid"
)

// yamuxFrame is a yamux frame.
func yamuxFrame(kind byte, flags uint16, stream, length uint32, data string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, kind}, flags)
	return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, stream), length), data...)
}

// TestLastFrame reads a stream while its last frame, which says so, arrives in two pieces.
func TestLastFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local, remote := net.Pipe()
		m := &muxer{*yamux.DefaultTransport}
		conn, err := m.NewConn(local, true, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan struct{})
		go func() { // what the muxer says does not matter
			defer close(answers)
			_, _ = io.Copy(io.Discard, remote)
		}()
		write := func(b []byte) {
			t.Helper()
			if _, err := remote.Write(b); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		write(yamuxFrame(yamuxWindow, 1, 1, 0, "")) // 1 opens a stream
		st, err := conn.AcceptStream()
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		var readErr error
		done := make(chan struct{})
		go func() {
			defer close(done)
			got, readErr = io.ReadAll(st)
		}()
		last := yamuxFrame(yamuxData, yamuxFIN, 1, 7, "request")
		write(last[:yamuxHeader]) // the reader has all the time to find an end that is none
		write(last[yamuxHeader:])
		<-done
		if readErr != nil || string(got) != "request" {
			t.Errorf("read %q, %v", got, readErr)
		}
		_ = conn.Close()
		_ = remote.Close()
		<-answers
	})
}

// TestFinLast splits frames, whatever the sizes of reads.
func TestFinLast(t *testing.T) {
	const fin, syn = yamuxFIN, 1
	in := bytes.Join([][]byte{
		yamuxFrame(yamuxWindow, syn, 1, 5, ""),
		yamuxFrame(yamuxData, syn|fin, 3, 4, "data"),
		yamuxFrame(yamuxData, fin, 1, 0, ""),
		yamuxFrame(2, syn, 0, 9, ""), // ping
		yamuxFrame(yamuxData, 0, 5, 3, "abc"),
		yamuxFrame(yamuxData, fin, 5, 1, "d"),
	}, nil)
	want := bytes.Join([][]byte{
		yamuxFrame(yamuxWindow, syn, 1, 5, ""),
		yamuxFrame(yamuxData, syn, 3, 4, "data"), yamuxFrame(yamuxWindow, fin, 3, 0, ""),
		yamuxFrame(yamuxData, fin, 1, 0, ""),
		yamuxFrame(2, syn, 0, 9, ""),
		yamuxFrame(yamuxData, 0, 5, 3, "abc"),
		yamuxFrame(yamuxData, 0, 5, 1, "d"), yamuxFrame(yamuxWindow, fin, 5, 0, ""),
	}, nil)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader,
	} {
		got, err := io.ReadAll(wrap(&finLast{Conn: readConn{Reader: wrap(bytes.NewReader(in))}}))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", name, got, err, want)
		}
	}
	if _, err := io.ReadAll(&finLast{Conn: readConn{Reader: bytes.NewReader(in[:len(in)-2])}}); err == nil {
		t.Error("a frame that is cut off is no error")
	}
}

// readConn is a connection of which only Read is called.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// TestFinLastAnything checks that no input makes it give more than it got, but for the
// ends. It is no fuzz target: built for fuzzing, libp2p takes minutes.
func TestFinLastAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []byte
		for range rapid.IntRange(0, 5).Draw(t, "frames") {
			data := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data")
			length := uint32(len(data)) + rapid.SampledFrom([]uint32{0, 0, 1, ^uint32(0)}).Draw(t, "more")
			in = append(in, yamuxFrame(rapid.Byte().Draw(t, "kind")%4, rapid.Uint16().Draw(t, "flags"), 1, length, string(data))...)
		}
		in = append(in, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "rest")...)
		out, _ := io.ReadAll(&finLast{Conn: readConn{Reader: bytes.NewReader(in)}})
		if len(out) > 2*len(in) {
			t.Errorf("%d bytes from %d", len(out), len(in))
		}
	})
}
