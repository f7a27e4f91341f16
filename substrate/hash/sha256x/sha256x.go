package sha256x

import (
	"crypto/sha256"
	"encoding/binary"
)

// Size is the length of a hash.
const Size = sha256.Size

const blockSize = sha256.BlockSize

// way is how messages are hashed. The package takes the best; tests take each.
type way uint8

const (
	alone     way = iota // one after the other, by crypto/sha256
	inPairs              // two in turns, by the SHA instructions
	bySixteen            // sixteen side by side, where enough have one length, else two in turns
)

// Each fills dst with hashes, one after the other: the i-th is that of
// tag ‖ data[i·size : (i+1)·size].
func Each(dst []byte, tag byte, data []byte, size int) { each(best, dst, tag, data, size) }

func each(by way, dst []byte, tag byte, data []byte, size int) {
	if by == alone {
		eachAlone(dst, tag, data, size)
		return
	}
	if by == bySixteen {
		n := eachBySixteen(dst, tag, data, size)
		dst, data = dst[n*Size:], data[n*size:]
	}
	w := work{dst: dst, data: data[:len(dst)/Size*size], size: size, tag: tag}
	w.run()
}

// eachAlone is Each without lanes.
func eachAlone(dst []byte, tag byte, data []byte, size int) {
	var room [1 + 1<<10]byte
	m := room[:]
	if 1+size > len(m) {
		m = make([]byte, 1+size)
	}
	m = m[:1+size]
	m[0] = tag
	for ; len(dst) >= Size; dst, data = dst[Size:], data[size:] {
		copy(m[1:], data[:size])
		h := sha256.Sum256(m)
		copy(dst, h[:])
	}
}

// All fills dst with the hashes of messages, one after the other. It gains most where
// messages are as long as each other.
func All(dst []byte, messages [][]byte) { all(best, dst[:len(messages)*Size], messages) }

func all(by way, dst []byte, messages [][]byte) {
	if by == bySixteen {
		n := allBySixteen(dst, messages)
		dst, messages = dst[n*Size:], messages[n:]
	}
	if by == alone || len(messages) == 1 {
		for i, m := range messages {
			h := sha256.Sum256(m)
			copy(dst[i*Size:], h[:])
		}
		return
	}
	w := work{dst: dst, messages: messages}
	w.run()
}

// work is a row of messages that are to be hashed: those given, or pieces of data with a
// tag before each.
type work struct {
	dst      []byte // of the hashes of messages that are not begun
	messages [][]byte
	data     []byte
	size     int
	tag      byte
}

// run hashes in two lanes, and in one when there is only one message left.
func (w *work) run() {
	var lanes [2]lane
	a, b := &lanes[0], &lanes[1]
	w.begin(a)
	w.begin(b)
	for a.out != nil && b.out != nil {
		p, q := a.part(), b.part()
		n := min(len(p), len(q)) / blockSize
		blocks2(&a.state, &b.state, &p[0], &q[0], n)
		if a.done(n) {
			w.begin(a)
		}
		if b.done(n) {
			w.begin(b)
		}
	}
	if a.out == nil {
		a = b
	}
	for a.out != nil {
		p := a.part()
		n := len(p) / blockSize
		blocks1(&a.state, &p[0], n)
		a.done(n)
	}
}

// lane is a message that is being hashed, in three parts of whole blocks.
type lane struct {
	state           [8]uint32           // as blocks2 has it
	out             []byte              // nil: it is idle
	now             uint8               // the part that is next; it is not empty
	head            [blockSize]byte     // part 0: a tag, and what makes a block with it
	body            []byte              // part 1
	tail            [2 * blockSize]byte // part 2, from tailAt to tailEnd: the last bytes, and what ends a message
	tailAt, tailEnd uint8
}

// order is where the words a to h of a state are.
var order = [8]int{3, 2, 7, 6, 1, 0, 5, 4}

// initial is the state before the first block.
var initial = [8]uint32{0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372}

// begin takes the next message into a lane, which is idle if there is none.
func (w *work) begin(l *lane) {
	if len(w.dst) < Size {
		return
	}
	l.state, l.out, w.dst = initial, w.dst[:Size], w.dst[Size:]
	var m []byte
	var size, n int // of the message; in the tail
	l.now = 1
	if w.messages != nil {
		m, w.messages = w.messages[0], w.messages[1:]
		size = len(m)
	} else {
		m, w.data = w.data[:w.size], w.data[w.size:]
		size = 1 + len(m)
		if size < blockSize {
			l.tail[0], n = w.tag, 1
		} else {
			l.now, l.head[0] = 0, w.tag
			m = m[copy(l.head[1:], m):]
		}
	}
	whole := len(m) &^ (blockSize - 1)
	l.body = m[:whole]
	n += copy(l.tail[n:], m[whole:])
	l.tailAt, l.tailEnd = 0, uint8(pad(&l.tail, n, size))
	if l.now == 1 && whole == 0 {
		l.now = 2
	}
}

// pad writes what ends a message of some size after its last n bytes, and tells where that ends: after one
// block or two.
func pad(tail *[2 * blockSize]byte, n, size int) (end int) {
	end = blockSize
	if n+1+8 > blockSize {
		end = 2 * blockSize
	}
	tail[n] = 0x80
	clear(tail[n+1 : end-8])
	binary.BigEndian.PutUint64(tail[end-8:end], uint64(size)*8)
	return end
}

// part is what is to be hashed next.
func (l *lane) part() []byte {
	switch l.now {
	case 0:
		return l.head[:]
	case 1:
		return l.body
	}
	return l.tail[l.tailAt:l.tailEnd]
}

// done steps over blocks that were hashed. After the last one it writes the hash, and the
// lane is idle.
func (l *lane) done(blocks int) bool {
	n := blocks * blockSize
	switch l.now {
	case 0:
		l.now = 1
	case 1:
		l.body = l.body[n:]
	default:
		l.tailAt += uint8(n)
	}
	if l.now == 1 && len(l.body) == 0 {
		l.now = 2
	}
	if l.tailAt < l.tailEnd {
		return false
	}
	for i, from := range order {
		binary.BigEndian.PutUint32(l.out[4*i:], l.state[from])
	}
	l.out = nil
	return true
}
