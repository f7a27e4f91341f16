package p2p

import (
	"encoding/binary"
	"io"
	"net"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

// muxer is yamux whose streams end after their last bytes, not before.
//
// Yamux lets a frame of data say that it is its stream's last. go-yamux marks the
// stream as ended before it has read the data, and a reader that looks in between
// finds the end of an empty stream. Light clients send requests in such frames and
// take offence at every one that goes unanswered.
type muxer struct{ yamux.Transport }

// NewConn begins to speak yamux on a connection.
func (m *muxer) NewConn(nc net.Conn, server bool, scope network.PeerScope) (network.MuxedConn, error) {
	return m.Transport.NewConn(&finLast{Conn: nc}, server, scope)
}

// Headers of yamux frames: version, type, flags (2 bytes), stream and length (4 each).
const (
	yamuxHeader = 12
	yamuxData   = 0
	yamuxWindow = 1 // its length is an increment of the window, and no data follows
	yamuxFIN    = 4
)

// finLast reads yamux frames and gives the end of a stream a frame of its own,
// behind the data that came with it.
type finLast struct {
	net.Conn
	header [yamuxHeader]byte
	out    []byte // what is left of the header to give
	data   uint32 // what is left of the frame's data
	fin    bool   // the stream ends after the data
}

// Read gives what is next of one frame.
func (c *finLast) Read(b []byte) (int, error) {
	if len(c.out) == 0 && c.data == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.out) > 0 {
		n := copy(b, c.out)
		c.out = c.out[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b[:min(uint64(len(b)), uint64(c.data))])
	c.data -= uint32(n)
	return n, err
}

// next makes the header of the next frame.
func (c *finLast) next() error {
	h := c.header[:]
	if c.fin {
		h[1] = yamuxWindow
		binary.BigEndian.PutUint16(h[2:], yamuxFIN)
		clear(h[8:])
		c.fin, c.out = false, h
		return nil
	}
	if _, err := io.ReadFull(c.Conn, h); err != nil {
		return err
	}
	if h[1] == yamuxData {
		c.data = binary.BigEndian.Uint32(h[8:])
		if flags := binary.BigEndian.Uint16(h[2:]); c.data > 0 && flags&yamuxFIN != 0 {
			binary.BigEndian.PutUint16(h[2:], flags&^yamuxFIN)
			c.fin = true
		}
	}
	c.out = h
	return nil
}
