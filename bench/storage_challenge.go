package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// ChallengeCase says how large a plan is, in fillers of 1 GiB.
type ChallengeCase struct{ Units, Turns int }

// ChallengeResult is what challenges of 1,024 leaves cost.
type ChallengeResult struct {
	Compared
	Enclave int64 // highest resident memory of the enclave
	Worker  int64 // and of this process, with what the simulation itself has of the plan
}

// challengeParams are those of a production network.
var challengeParams = proof.Params{UnitLeaves: proof.MaxUnitLeaves, Samples: 1024, Deadline: 50, AuditWindow: 100}

// simulation is a storage node whose units are files with holes: what a challenge asks
// for is written into them before it is asked.
type simulation struct {
	*storageNode
	ledger proof.Ledger
	record proof.Record
}

// Challenge has a worker and `crust enclave` answer challenges over a plan, in turns
// with reading the same leaves and no more, and with AES and SHA-256 of as many bytes.
func Challenge(ctx context.Context, binary string, c ChallengeCase) (r ChallengeResult, err error) {
	n, err := newStorageNode()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	m := &simulation{storageNode: n}
	if err := m.plan(c.Units); err != nil {
		return r, fmt.Errorf("making the plan: %w", err)
	}
	if err := n.start(ctx, binary, worker.Config{UnitLeaves: proof.MaxUnitLeaves, Filler: uint64(c.Units) << 30,
		Disks: []disk.Config{{Dir: m.disk(), Limit: 1 << 60}}}); err != nil {
		return r, err
	}
	for i := range c.Turns {
		one, err := m.turn(ctx, i%2 == 0)
		if err != nil {
			return r, fmt.Errorf("turn %d: %w", i, err)
		}
		r.Add(one)
	}
	if r.Enclave, err = n.peak(); err != nil {
		return r, err
	}
	_, r.Worker, err = rssOf(os.Getpid())
	return r, err
}

func (m *simulation) disk() string { return filepath.Join(m.dir, "sealed") }

// path is where a unit lies: see package disk.
func (m *simulation) path(no uint64) string {
	return filepath.Join(m.disk(), "units", fmt.Sprintf("%02x", no&0xff), fmt.Sprintf("%016x", no))
}

// plan writes the index and the files of a plan of some fillers, and has the enclave see
// that it is the chain's.
func (m *simulation) plan(units int) error {
	ds := make([]proof.Descriptor, units)
	for i := range ds {
		binary.LittleEndian.PutUint64(ds[i].ID[:], uint64(i)+1)
		ds[i].Leaves = proof.MaxUnitLeaves
	}
	if err := m.ledger.Plan.Load(proof.Filler, ds); err != nil {
		return err
	}
	m.record = *m.chain.Record
	m.record.Step(1, m.ledger.Plan.Totals(), m.record.Files, 0, 0)
	m.chain.Record = &m.record
	warp, nodes := m.chain.Final(new(testing.T))
	if o, err := m.core.Follow(warp, nodes, lifecycle.Parallel); err != nil || o != trusted.Diverged {
		return fmt.Errorf("the enclave sees outcome %d: %w", o, err)
	}
	d, err := disk.Open(disk.Config{Dir: m.disk()}, m.record.Lineage)
	if err != nil {
		return err
	}
	id := d.ID()
	if err := d.Close(); err != nil {
		return err
	}
	for i := range 256 {
		if err := os.MkdirAll(filepath.Dir(m.path(uint64(i))), 0o755); err != nil {
			return err
		}
	}
	db, err := index.Open(filepath.Join(m.dir, "index"), m.record.Lineage, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	b := db.Batch()
	for i := range ds {
		no := uint64(i) + 1
		if err := errors.Join(os.WriteFile(m.path(no), nil, 0o644), os.Truncate(m.path(no), int64(disk.FileSize(ds[i].Leaves)))); err != nil {
			return errors.Join(err, db.Close())
		}
		b.PutUnit(&index.Unit{Number: no, Disk: id, Kind: proof.Filler, Desc: ds[i]})
		if i%10_000 == 9_999 {
			if err := b.Flush(); err != nil {
				return errors.Join(err, db.Close())
			}
			b = db.Batch()
		}
	}
	return errors.Join(b.Commit(), db.Snapshot(&m.record, &m.ledger), db.Close())
}

// place is a leaf on disk.
type place struct {
	path   string
	offset int64
}

// turn is one challenge; what goes first takes turns as well.
func (m *simulation) turn(ctx context.Context, readFirst bool) (r Compared, err error) {
	m.chain.Next()
	places, err := m.prepare()
	if err != nil {
		return r, err
	}
	r.Bytes = uint64(len(places)) * proof.LeafSize
	read := func() error {
		if err := each(places, forget); err != nil {
			return err
		}
		r.Disk, err = costOf(func() error { return readLeaves(places) })
		return err
	}
	own := func() error {
		if err := each(places, forget); err != nil {
			return err
		}
		r.Own, err = m.cost(func() error {
			_, err := m.w.Heartbeat(ctx, challengeParams, worker.Slot{Start: m.chain.Slot, Hash: m.chain.HashOf(m.chain.Slot), Beacon: m.chain.Beacon})
			return err
		})
		return err
	}
	steps := []func() error{own, read}
	if readFirst {
		steps = []func() error{read, own}
	}
	for _, f := range steps {
		if err := f(); err != nil {
			return r, err
		}
	}
	r.Crypto, err = costOf(func() error { return compute(r.Bytes, keystreamAndHash) })
	return r, err
}

// prepare writes the leaves that the slot asks for.
func (m *simulation) prepare() ([]place, error) {
	seed := proof.ChallengeSeed(m.chain.Beacon, m.record.Lineage, m.record.Plan.Root, m.record.Counter)
	var places []place
	leaf := make([]byte, proof.LeafSize)
	for _, at := range proof.Challenge(seed, &m.record.Plan, challengeParams.Samples) {
		p, err := m.ledger.Plan.Find(at)
		if err != nil {
			return nil, err
		}
		if err := m.leaf(p, leaf); err != nil {
			return nil, err
		}
		to := place{m.path(binary.LittleEndian.Uint64(p.Unit.ID[:])), int64(p.Leaf) * proof.LeafSize}
		f, err := os.OpenFile(to.path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		_, err = f.WriteAt(leaf, to.offset)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		places = append(places, to)
	}
	return places, each(places, datasync)
}

// leaf makes a leaf of a filler, as only its enclave can: docs/protocol/mpow.md §2.
func (m *simulation) leaf(p proof.Place, into []byte) error {
	info := append([]byte("crust/mpow/unit/v1"), m.record.Lineage[:]...)
	key, err := hkdf.Expand(sha256.New, m.root[:], string(append(append(info, byte(proof.Filler)), p.Unit.ID[:]...)), 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(p.Leaf)*(proof.LeafSize/aes.BlockSize))
	clear(into)
	cipher.NewCTR(block, iv[:]).XORKeyStream(into, into)
	return nil
}

// each does something with the file of every leaf.
func each(places []place, do func(*os.File) error) error {
	errs := make([]error, len(places))
	lifecycle.Parallel(len(places), func(i int) {
		f, err := os.OpenFile(places[i].path, os.O_RDWR, 0)
		if err == nil {
			err = errors.Join(do(f), f.Close())
		}
		errs[i] = err
	})
	return errors.Join(errs...)
}

// readAll reads leaves, on all processors.
func readLeaves(places []place) error {
	errs := make([]error, len(places))
	lifecycle.Parallel(len(places), func(i int) {
		f, err := os.Open(places[i].path)
		if err == nil {
			_, err = f.ReadAt(make([]byte, proof.LeafSize), places[i].offset)
			err = errors.Join(err, f.Close())
		}
		errs[i] = err
	})
	return errors.Join(errs...)
}
