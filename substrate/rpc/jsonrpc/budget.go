package jsonrpc

import "sync/atomic"

// freeShare is what the requests of a connection may take of memory, in bytes,
// before they count towards Config.MaxRequestsBytes: those who send small requests
// are not refused because others send large ones.
const freeShare = 64 << 10

// budget bounds the memory of requests, read in part or in progress, of all
// connections. used = Σ over connections of what share.held exceeds freeShare by.
type budget struct {
	max  int64
	used atomic.Int64
}

// share is one connection's part of a budget.
type share struct {
	budget  *budget
	held    atomic.Int64 // bytes
	reading int          // bytes of them for what is being read; the reader's own
}

// add counts n bytes, which may be negative, in any case, and returns by how much
// the budget's use has changed.
func (s *share) add(n int64) (change int64) {
	now := s.held.Add(n)
	change = max(now, freeShare) - max(now-n, freeShare)
	s.budget.used.Add(change)
	return change
}

// begin counts the buffer that a request is to be read into.
func (s *share) begin(size int) {
	s.reading = size
	s.add(int64(size))
}

// grow lets that buffer grow by n bytes, if the budget has room for them.
func (s *share) grow(n int) bool {
	if s.add(int64(n)) > 0 && s.budget.used.Load() > s.budget.max {
		s.add(-int64(n))
		return false
	}
	s.reading += n
	return true
}

// end corrects the count to what the buffer takes now; 0 if it is gone.
func (s *share) end(size int) {
	s.add(int64(size - s.reading))
	s.reading = 0
}
