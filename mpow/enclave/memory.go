package enclave

// memorySize is how much memory the two ends of a connection share: bodies of requests lie in
// the first half, those of answers in the second. What is longer goes through the socket.
const memorySize = 8 << 20

// memory is what two processes share. Either may change it at any time, so that the enclave
// takes what it is to believe out of it once, whole, before it looks at it, and reads nothing
// back of what it writes there. The zero value is none.
type memory struct{ b []byte }

// request is where requests lie.
func (m *memory) request() []byte { return m.b[: len(m.b)/2 : len(m.b)/2] }

// answer is where answers lie.
func (m *memory) answer() []byte { return m.b[len(m.b)/2:] }
