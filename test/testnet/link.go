package testnet

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// link carries the connections that one node opens to another.
type link struct {
	listener net.Listener
	tasks    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	to    string     // where the other node listens; empty while it does not
	cut   bool
	delay time.Duration // of every byte, in either direction
	open  map[net.Conn]struct{}
}

func newLink() (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{listener: l, open: map[net.Conn]struct{}{}}
	k.tasks.Go(k.accept)
	return k, nil
}

// address is the multiaddress that stands for a node behind the link.
func (k *link) address(id string) string {
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", k.listener.Addr().(*net.TCPAddr).Port, id)
}

// set changes the link; connections end if it is cut.
func (k *link) set(change func(*link)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
	if k.cut {
		k.breakAll()
	}
}

// breakAll ends the connections; mu is held.
func (k *link) breakAll() {
	for c := range k.open {
		_ = c.Close()
	}
}

func (k *link) close() {
	_ = k.listener.Close()
	k.set(func(k *link) { k.cut = true })
	k.tasks.Wait()
}

func (k *link) accept() {
	for {
		c, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.tasks.Go(func() { k.carry(c) })
	}
}

// carry connects a connection with the node behind the link.
func (k *link) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	k.mu.Lock()
	to, cut := k.to, k.cut
	k.mu.Unlock()
	if cut || to == "" {
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	if !k.track(near, far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { k.pump(near, far) })
	both.Go(func() { k.pump(far, near) })
	both.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, near)
	delete(k.open, far)
}

func (k *link) track(conns ...net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range conns {
		k.open[c] = struct{}{}
	}
	return !k.cut
}

// piece is bytes on their way.
type piece struct {
	bytes []byte
	due   time.Time
}

// pump copies from one connection to another, each byte later by the delay, and
// ends both.
func (k *link) pump(from io.ReadCloser, to io.WriteCloser) {
	way := make(chan piece, 256)
	var writing sync.WaitGroup
	writing.Go(func() {
		var err error
		for p := range way {
			if err == nil {
				time.Sleep(time.Until(p.due))
				_, err = to.Write(p.bytes)
			}
			if err != nil {
				_ = from.Close() // the reader ends, and with it the range
			}
		}
		_ = to.Close()
	})
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		k.mu.Lock()
		due := time.Now().Add(k.delay)
		k.mu.Unlock()
		if n > 0 {
			way <- piece{b[:n], due}
		}
		if err != nil {
			break
		}
	}
	close(way)
	writing.Wait()
}
