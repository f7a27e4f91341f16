package enclave

// memorySize is how much memory the two ends of a connection share. The body of a request lies
// at its beginning, and then that of the answer in its place: both need it one after the other. What is
// longer goes through the socket.
const memorySize = 4 << 20

// memory is what two processes share. Either may change it at any time, so that the enclave
// takes what it is to believe out of it once, whole, before it looks at it, and reads nothing
// back of what it writes there. The zero value is none.
type memory struct{ b []byte }
