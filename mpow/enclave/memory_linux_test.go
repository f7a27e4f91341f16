package enclave

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// shared dials an enclave, with memory.
func shared(t *testing.T, path string, unitLeaves uint32) *Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		c.Free()
	})
	call(t, c, &trusted.Hello{Version: trusted.Version, UnitLeaves: unitLeaves}, new(trusted.Identity))
	if err := c.Share(); err != nil {
		t.Fatal(err)
	}
	if c.memory.b == nil {
		t.Fatal("no memory is shared")
	}
	return c
}

// flip changes a byte of shared memory and changes it back, all the time, while f runs.
func flip(t *testing.T, at *byte, f func()) {
	t.Helper()
	g := lifecycle.NewGroup(t.Context(), 0)
	g.Go("hostile host", func(ctx context.Context) error {
		for ctx.Err() == nil {
			for range 100 {
				*at ^= 1
			}
		}
		return nil
	})
	f()
	g.Stop()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// history is what an enclave with known randomness made of a filler and a file, while the host
// was hostile, or not.
func history(t *testing.T, hostile bool) (units []trusted.Closed) {
	t.Helper()
	const leaves, size = 64, 200_000
	c := shared(t, serve(t, prooftest.New(), rand.NewChaCha8([32]byte{7})), leaves)
	attack := func(at *byte, f func()) {
		if hostile {
			flip(t, at, f)
		} else {
			f()
		}
	}

	// The leaves of a filler change under the enclave while it makes and hashes them.
	for range 4 {
		var a trusted.FillAnswer
		for a.Closed == nil {
			attack(&c.memory.b[proof.LeafSize*3/2], func() { call(t, c, &trusted.FillRequest{Leaves: 4}, &a) })
		}
		units = append(units, *a.Closed)
	}

	// Blocks change under it while it compares them with their CIDs and seals them; what it
	// sealed is what has the CID.
	root, blocks := graph(30, size)
	var begun trusted.BeginAnswer
	call(t, c, &trusted.BeginRequest{CID: root, Limit: 1 << 40}, &begun)
	put := func(cid dag.CID, attacked bool) trusted.RecordAnswer {
		r := &trusted.PutRequest{File: begun.File, Blocks: []trusted.Offered{{CID: cid, Block: blocks[cid.Key()]}}}
		at := &c.memory.b[len(c.memory.b)/2] // nobody reads that
		if attacked {
			at = &c.memory.b[len(trusted.AppendRequest(nil, r))-size/2]
		}
		for {
			var a trusted.PutAnswer
			attack(at, func() { call(t, c, r, &a) })
			if a.Refused == nil {
				return a.Put[0]
			}
			if !errors.Is(a.Refused, dag.ErrMismatch) || !hostile {
				t.Fatal(a.Refused)
			}
		}
	}
	wanted := slices.Clone(put(root, false).Wanted)
	for i, cid := range wanted {
		sealed := put(cid, true)
		if sealed.Closed != nil {
			units = append(units, *sealed.Closed)
		}
		if hostile {
			continue // the host spoiled what it has of the record, which lies where the request lay
		}
		var opened trusted.OpenAnswer
		call(t, c, &trusted.OpenRequest{Unit: sealed.Unit, Record: bytes.Clone(sealed.Record.Bytes)}, &opened)
		if opened.CID != cid || !bytes.Equal(opened.Block, blocks[cid.Key()]) {
			t.Fatalf("block %d was sealed with other bytes than its CID has", i)
		}
	}
	call(t, c, &trusted.EndRequest{File: begun.File}, new(trusted.EndAnswer))
	var closed trusted.CloseAnswer
	call(t, c, &trusted.CloseRequest{}, &closed)
	return append(units, *closed.Closed)
}

// TestMemoryChangesMeanwhile is a host that changes shared memory while the enclave works: what it
// commits to is what it makes for an honest one, bytes that have the CIDs that it says.
func TestMemoryChangesMeanwhile(t *testing.T) {
	honest, hostile := history(t, false), history(t, true)
	if len(honest) < 6 || !slices.Equal(honest, hostile) {
		t.Errorf("units of a hostile host:\n%x\nof an honest one:\n%x", hostile, honest)
	}
}

// TestBadMemory is a host that lies about what lies in shared memory: it is cut off, and the
// enclave lives.
func TestBadMemory(t *testing.T) {
	path := serve(t, prooftest.New(), rand.NewChaCha8([32]byte{7}))
	for name, heads := range map[string][]uint32{
		"before it is there": {inMemory | 8},
		"asked for twice":    {inMemory, inMemory},
		"longer than it is":  {inMemory, inMemory | (memorySize + 1)},
		"longer than frames": {inMemory, 1<<32 - 1},
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range heads {
			if _, err := conn.Write(binary.LittleEndian.AppendUint32(nil, h)); err != nil {
				t.Fatal(err)
			}
			if i < len(heads)-1 {
				if _, err := conn.Read(make([]byte, headSize)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, syscall.EAGAIN) {
			t.Errorf("%s: %d bytes of an answer, %v", name, n, err)
		}
		conn.Close()
	}
	call(t, shared(t, path, 4), &trusted.StateRequest{}, new(trusted.StateAnswer))
}

// TestMemoryStays is a host that would take memory away from under the enclave.
func TestMemoryStays(t *testing.T) {
	f, err := newMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int64{0, memorySize * 2} {
		if err := f.Truncate(size); !errors.Is(err, syscall.EPERM) {
			t.Errorf("its size can be changed to %d: %v", size, err)
		}
	}
}

// TestBeyondMemory seals more at a time than shared memory has room for.
func TestBeyondMemory(t *testing.T) {
	c := shared(t, serve(t, prooftest.New(), rand.NewChaCha8([32]byte{7})), 256)
	root, blocks := graph(10, 1<<20)
	d := disk{}
	_, records := d.seal(t, c, root, blocks)
	for u, rs := range records {
		for _, rec := range rs {
			var a trusted.OpenAnswer
			call(t, c, &trusted.OpenRequest{Unit: u, Record: rec}, &a)
			if !bytes.Equal(a.Block, blocks[a.CID.Key()]) {
				t.Fatal("a block differs")
			}
		}
	}
}
