package pinning

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crustgo/crust/dsm/w3auth"
)

// The keys of the database. Texts (users, CIDs, ids) have no zero byte.
//
//	v                    → the format's number
//	p user 0 created     → pin: milliseconds, 8 bytes, big-endian
//	i user 0 id          → created
//	f cid                → file
//	r cid 0 user 0 id    → a reference: the time of its end in seconds, 0 for a pin
//	o user 0 cid         → nothing: the user refers to the file
//	q due cid            → nothing: when the file is looked at next, seconds, 8 bytes
//	s day                → plancks spent, decimal: days since 1970, 8 bytes
//	c cid                → an order that nobody wants any more: when it is looked at next, seconds, 8 bytes
const (
	kindVersion = 'v'
	kindPin     = 'p'
	kindID      = 'i'
	kindFile    = 'f'
	kindRef     = 'r'
	kindOwner   = 'o'
	kindDue     = 'q'
	kindSpent   = 's'
	kindUnwant  = 'c'
)

// format is the number of what is above. A change needs a migration.
const format = 1

// pin is a request of a user.
type pin struct {
	ID      string            `json:"id"`
	Created int64             `json:"created"` // milliseconds since 1970; unique
	CID     string            `json:"cid"`     // as the user wrote it
	File    string            `json:"file"`    // the canonical CID
	Name    *string           `json:"name,omitempty"`
	Origins []string          `json:"origins,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
}

// file is what the gateway knows of a CID.
type file struct {
	CID     string `json:"cid"`
	Status  Status `json:"status"`
	Detail  string `json:"detail,omitempty"`
	Size    uint64 `json:"size,omitempty"`  // 0: the content is not here
	Due     int64  `json:"due"`             // seconds since 1970; also a key
	Tried   int    `json:"tried,omitempty"` // orders that the chain has not taken
	Ended   int    `json:"ended,omitempty"` // orders that ended without a replica
	Order   *Order `json:"order,omitempty"` // as the chain last said
	Pending *sent  `json:"pending,omitempty"`
	// Until is the end of the order that is being renewed, as a block.
	Until uint32 `json:"until,omitempty"`
}

// sent is a transaction that may be on its way.
type sent struct {
	Tx    []byte `json:"tx"`
	Ends  uint32 `json:"ends"` // the last block that may have it
	Cost  string `json:"cost"` // plancks
	Day   int64  `json:"day"`  // that it counts for
	Block bool   `json:"block,omitempty"`
}

// store is the database: keys and values, no rules.
type store struct{ pdb *pebble.DB }

func openStore(dir string, fs vfs.FS) (*store, error) {
	if fs == nil {
		fs = vfs.Default
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open gateway's database: %w", err)
		}
	}
	pdb, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
	if err != nil {
		return nil, fmt.Errorf("open gateway's database %s: %w; is another gateway using it?", dir, err)
	}
	s := &store{pdb}
	version, ok, err := s.get([]byte{kindVersion})
	switch {
	case err == nil && !ok:
		err = pdb.Set([]byte{kindVersion}, []byte{format}, pebble.Sync)
	case err == nil && (len(version) != 1 || version[0] != format):
		err = fmt.Errorf("gateway's database %s has format %x, and this program knows %d; use the program that wrote it", dir, version, format)
	}
	if err != nil {
		return nil, errors.Join(err, pdb.Close())
	}
	return s, nil
}

type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf("pinning: "+format, a...)) }

func (s *store) close() error { return s.pdb.Close() }

func (s *store) get(key []byte) (value []byte, ok bool, err error) {
	v, closer, err := s.pdb.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value = append([]byte{}, v...)
	return value, true, closer.Close()
}

// scan calls f with what lies under a prefix, backwards if asked to, until f returns
// false. The slices are f's until it returns.
func (s *store) scan(prefix []byte, backwards bool, f func(key, value []byte) (bool, error)) error {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++ // no prefix ends in 0xff
	it, err := s.pdb.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		return err
	}
	first, next := it.First, it.Next
	if backwards {
		first, next = it.Last, it.Prev
	}
	more := true
	for ok := first(); ok && more && err == nil; ok = next() {
		more, err = f(it.Key(), it.Value())
	}
	return errors.Join(err, it.Close())
}

// update writes all that fill puts into a batch, or nothing, and syncs it.
func (s *store) update(fill func(b *pebble.Batch) error) error {
	b := s.pdb.NewBatch()
	defer func() { _ = b.Close() }()
	if err := fill(b); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}

func (s *store) file(cid string) (*file, error) {
	v, ok, err := s.get(fileKey(cid))
	if err != nil || !ok {
		return nil, err
	}
	return decode[file](v)
}

func (s *store) spent(day int64) (*big.Int, error) {
	v, _, err := s.get(spentKey(day))
	n, ok := new(big.Int).SetString("0"+string(v), 10)
	if !ok && err == nil {
		err = fmt.Errorf("what was spent on day %d reads %q", day, v)
	}
	return n, err
}

// putFile writes a file and moves its place in the queue.
func putFile(b *pebble.Batch, f *file, due time.Time) error {
	err := b.Delete(dueKey(f.Due, f.CID), nil)
	f.Due = due.Unix()
	v, err2 := json.Marshal(f)
	return errors.Join(err, err2, b.Set(dueKey(f.Due, f.CID), nil, nil), b.Set(fileKey(f.CID), v, nil))
}

func decode[T any](b []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("damaged record in the gateway's database: %w", err)
	}
	return v, nil
}

func fileKey(cid string) []byte { return append([]byte{kindFile}, cid...) }

func pinKey(u w3auth.User, created int64) []byte {
	return binary.BigEndian.AppendUint64(pinPrefix(u), uint64(created))
}

func pinPrefix(u w3auth.User) []byte { return append(append([]byte{kindPin}, u...), 0) }

func idKey(u w3auth.User, id string) []byte {
	return append(append(append([]byte{kindID}, u...), 0), id...)
}

func refPrefix(cid string) []byte { return append(append([]byte{kindRef}, cid...), 0) }

func refOfUser(cid string, u w3auth.User) []byte { return append(append(refPrefix(cid), u...), 0) }

func refKey(cid string, u w3auth.User, id string) []byte { return append(refOfUser(cid, u), id...) }

func ownerPrefix(u w3auth.User) []byte { return append(append([]byte{kindOwner}, u...), 0) }

func ownerKey(u w3auth.User, cid string) []byte { return append(ownerPrefix(u), cid...) }

func dueKey(due int64, cid string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{kindDue}, uint64(due)), cid...)
}

func spentKey(day int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindSpent}, uint64(day))
}

func unwantedKey(cid string) []byte { return append([]byte{kindUnwant}, cid...) }

func seconds(t time.Time) []byte {
	if t.IsZero() {
		return make([]byte, 8)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(t.Unix()))
}
