package sha256x

import "encoding/binary"

// lanes is how many messages are side by side.
const lanes = 16

// enough is how many messages are faster side by side, with idle lanes, than two in turns.
const enough = 8

// batch is messages of one length that are hashed side by side.
type batch struct {
	state [8][lanes]uint32           // words a to h of all lanes
	ends  [lanes][2 * blockSize]byte // a tag and what makes a block with it; later the last bytes, and what ends a message
}

// eachBySixteen is Each for the first messages, and tells of how many.
func eachBySixteen(dst []byte, tag byte, data []byte, size int) (done int) {
	total := len(dst) / Size
	if total < enough {
		return 0
	}
	var b batch
	var m [lanes][]byte
	for total-done >= enough {
		n := min(lanes, total-done)
		for i := range m[:n] {
			m[i], data = data[:size], data[size:]
		}
		b.hash(dst[done*Size:], m[:n], []byte{tag})
		done += n
	}
	return done
}

// allBySixteen is All for the first messages, and tells of how many.
func allBySixteen(dst []byte, messages [][]byte) (done int) {
	if len(messages) < enough {
		return 0
	}
	var b batch
	for i := 0; i < len(messages); {
		n := alike(messages[i:])
		if n >= enough {
			all(inPairs, dst[done*Size:i*Size], messages[done:i])
			b.hash(dst[i*Size:], messages[i:i+n], nil)
			done = i + n
		}
		i += n
	}
	return done
}

// alike is how many of the messages have the first one's length, up to as many as there are
// lanes.
func alike(messages [][]byte) (n int) {
	for n < min(lanes, len(messages)) && len(messages[n]) == len(messages[0]) {
		n++
	}
	return n
}

// hash hashes messages of one length, each with a tag before it or none. What makes a block
// with the tag is copied, and so is what is left after the last whole block; all else is read
// where it is.
func (b *batch) hash(dst []byte, messages [][]byte, tag []byte) {
	b.start()
	var at [lanes]*byte // what is next of each
	size := len(tag) + len(messages[0])
	from := 0 // up to where messages are hashed
	if len(tag) > 0 && size >= blockSize {
		for i, m := range messages {
			head := b.ends[i][:blockSize]
			copy(head[copy(head, tag):], m)
			at[i] = &head[0]
		}
		from = blockSize - len(tag)
		tag = nil
		b.blocks(&at, len(messages), 1)
	}
	if n := (len(messages[0]) - from) / blockSize; n > 0 {
		for i, m := range messages {
			at[i] = &m[from]
		}
		from += n * blockSize
		b.blocks(&at, len(messages), n)
	}
	end := 0
	for i, m := range messages {
		tail := &b.ends[i]
		n := copy(tail[:], tag)
		n += copy(tail[n:], m[from:])
		end = pad(tail, n, size)
		at[i] = &tail[0]
	}
	b.blocks(&at, len(messages), end/blockSize)
	for i := range messages {
		for j := range b.state {
			binary.BigEndian.PutUint32(dst[i*Size+4*j:], b.state[j][i])
		}
	}
}

// start sets the state to that before the first block.
func (b *batch) start() {
	for j, from := range order {
		row := &b.state[j]
		for i := range row {
			row[i] = initial[from]
		}
	}
}

// blocks hashes the next n blocks of the lanes in use. The idle ones hash what the first does.
func (b *batch) blocks(at *[lanes]*byte, used, n int) {
	for i := used; i < lanes; i++ {
		at[i] = at[0]
	}
	blocks16(&b.state, at, n)
}
