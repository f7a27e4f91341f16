package wsconn

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeChunk = 64 << 10 // bytes that one write deadline covers; also the size of the coalescing buffer
	readBuffer = 16 << 10
)

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, writeChunk); return &b }}

// stream is the byte stream below the WebSocket. Between hold and release it
// collects what is written, so that many frames become one system call, and it
// turns the timeouts of Config into deadlines at the moments that need them.
type stream struct {
	net.Conn
	r                         *bufio.Reader
	readTimeout, writeTimeout time.Duration
	received                  atomic.Int64 // bytes read so far; the keepalive looks at it

	writeMu sync.Mutex // guards the fields below
	holding bool
	held    *[]byte // from chunks, nil while nothing is held
	written int64

	deadlineMu sync.Mutex // guards the fields below and orders deadline changes
	expired    bool       // reads were cut off by expireReads
	readSet    bool       // a read deadline is in force
	lastWrite  time.Time  // no write may end later; zero means no such limit

	inMessage atomic.Bool // the reader is between the first and last byte of a message
}

func newStream(c net.Conn, cfg *Config) *stream {
	s := &stream{Conn: c, readTimeout: cfg.ReadTimeout, writeTimeout: cfg.WriteTimeout}
	s.r = bufio.NewReaderSize(countingReader{s}, readBuffer)
	return s
}

// countingReader reads from the network below a stream.
type countingReader struct{ s *stream }

func (r countingReader) Read(p []byte) (int, error) {
	if r.s.inMessage.Load() {
		r.s.limitMessage()
	}
	n, err := r.s.Conn.Read(p)
	r.s.received.Add(int64(n))
	return n, err
}

// Read reads through the buffer.
func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p) }

// limitMessage starts the clock for the rest of the message, once.
func (s *stream) limitMessage() {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	if !s.readSet && !s.expired {
		s.readSet = true
		_ = s.SetReadDeadline(time.Now().Add(s.readTimeout))
	}
}

// messageStarted and messageDone enclose the bytes of one message.
func (s *stream) messageStarted() { s.inMessage.Store(true) }

func (s *stream) messageDone() {
	s.inMessage.Store(false)
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	if s.readSet && !s.expired {
		_ = s.SetReadDeadline(time.Time{})
	}
	s.readSet = false
}

// expireReads makes the current and every later read fail at once.
func (s *stream) expireReads() {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	s.expired = true
	_ = s.SetReadDeadline(time.Unix(1, 0))
}

// allowReads lets reads go on until t, for the close handshake.
func (s *stream) allowReads(t time.Time) {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	s.expired = true // messageDone and limitMessage must leave the deadline alone
	_ = s.SetReadDeadline(t)
}

// limitWrites makes every write, the current one included, fail after t.
func (s *stream) limitWrites(t time.Time) {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	s.lastWrite = t
	_ = s.SetWriteDeadline(t)
}

func (s *stream) extendWrite() {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	t := time.Now().Add(s.writeTimeout)
	if !s.lastWrite.IsZero() && s.lastWrite.Before(t) {
		t = s.lastWrite
	}
	_ = s.SetWriteDeadline(t)
}

// Write sends p, or keeps it for release while writes are being held.
func (s *stream) Write(p []byte) (int, error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if s.holding {
		if s.held == nil {
			s.held = chunks.Get().(*[]byte)
			*s.held = (*s.held)[:0]
		}
		if len(*s.held)+len(p) <= writeChunk {
			*s.held = append(*s.held, p...)
			return len(p), nil
		}
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	return s.push(p)
}

// push writes p to the network, one deadline for every writeChunk bytes.
func (s *stream) push(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		s.extendWrite()
		n, err := s.Conn.Write(p[:min(len(p), writeChunk)])
		total += n
		s.written += int64(n)
		if err != nil {
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

func (s *stream) flush() error {
	if s.held == nil {
		return nil
	}
	held := s.held
	s.held = nil
	_, err := s.push(*held)
	chunks.Put(held)
	return err
}

func (s *stream) hold() {
	s.writeMu.Lock()
	s.holding = true
	s.writeMu.Unlock()
}

// release sends what was held and returns how many bytes have been written
// since the last release.
func (s *stream) release() (int64, error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	s.holding = false
	err := s.flush()
	n := s.written
	s.written = 0
	return n, err
}
