package bench

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dev"
)

// StorageCase says how much a storage node seals.
type StorageCase struct {
	UnitLeaves uint32 // leaves of 64 KiB in a unit
	Units      int    // fillers of a turn; as many files of nearly that size are sealed
	Turns      int
}

// Compared is what some bytes cost a storage node and its enclave, and what else was
// done with as many bytes in between.
type Compared struct {
	Bytes  uint64
	Own    Cost
	Disk   Cost // written by one writer, until they were durable; or read
	Crypto Cost // what there is to compute, by the standard library on all processors
}

// Add sums turns.
func (c *Compared) Add(d Compared) {
	c.Bytes += d.Bytes
	for _, p := range [][2]*Cost{{&c.Own, &d.Own}, {&c.Disk, &d.Disk}, {&c.Crypto, &d.Crypto}} {
		p[0].Wall += p[1].Wall
		p[0].CPU += p[1].CPU
	}
}

// StorageResult is what was measured.
type StorageResult struct{ Fill, Seal Compared }

// storageNode is a worker, and `crust enclave` as a process of its own. The chain is one
// of tests, whose only validator is ours.
type storageNode struct {
	dir     string
	chain   *prooftest.Chain
	root    [32]byte // from which the keys of units follow
	core    *trusted.Core
	cmd     *exec.Cmd // nil: the enclave runs in this process
	w       *worker.Worker
	cleanUp []func() error // last first
}

// newStorageNode bears an enclave whose secrets are known: all of its state but what
// the process will draw.
func newStorageNode() (n *storageNode, err error) {
	n = &storageNode{chain: prooftest.New()}
	if n.dir, err = os.MkdirTemp("", "crust-bench-"); err != nil {
		return nil, err
	}
	n.cleanUp = append(n.cleanUp, func() error { return os.RemoveAll(n.dir) })
	if _, err := rand.NewChaCha8([32]byte{1}).Read(n.root[:]); err != nil { // the first that the core draws
		return nil, n.fail(err)
	}
	cfg := dev.Config{CA: dev.NewCA(dev.DevelopmentSeed()), Kind: tee.SGX, Version: 1, Random: rand.NewChaCha8([32]byte{2})}
	if err := enclave.Save(filepath.Join(n.dir, "platform"), cfg.Secret[:]); err != nil {
		return nil, n.fail(err)
	}
	env := trusted.Env{Rand: rand.NewChaCha8([32]byte{1})}
	if env.Sealing, err = dev.NewEnclave(cfg).DeriveKey(tee.SealThisCode, "crust/mpow/state/v1"); err != nil {
		return nil, n.fail(err)
	}
	n.core, err = trusted.New(trusted.Birth{Account: n.chain.Account, Genesis: n.chain.Genesis.Hash(), Checkpoint: n.chain.Checkpoint(new(testing.T))}, env)
	if err != nil {
		return nil, n.fail(err)
	}
	id := n.core.Identity()
	r := proof.NewRecord(id.Key, id.Lineage)
	n.chain.Record = &r
	return n, nil
}

// start starts the enclave with the core's state, and then the worker.
func (n *storageNode) start(ctx context.Context, binary string, cfg worker.Config) error {
	state, err := n.core.State()
	if err != nil {
		return err
	}
	cfg.Socket, cfg.State, cfg.Dir = filepath.Join(n.dir, "socket"), filepath.Join(n.dir, "state"), n.dir
	if err := enclave.Save(cfg.State, state); err != nil {
		return err
	}
	if binary == "" {
		err = n.serve(ctx, cfg.Socket)
	} else {
		err = n.launch(ctx, binary, cfg.Socket, cfg.State)
	}
	if err != nil {
		return err
	}
	n.core = nil
	w, err := worker.Open(ctx, cfg)
	if err != nil {
		return err
	}
	n.w = w
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("worker", w.Run)
	n.cleanUp = append(n.cleanUp, func() error {
		g.Stop()
		return errors.Join(g.Wait(), w.Close())
	})
	return nil
}

// launch starts the enclave's process and waits until it listens.
func (n *storageNode) launch(ctx context.Context, binary, socket, state string) error {
	var words bytes.Buffer
	n.cmd = exec.Command(binary, "enclave", "--socket", socket, "--state", state, "--platform", filepath.Join(n.dir, "platform"))
	n.cmd.Stderr = &words
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.cleanUp = append(n.cleanUp, func() error {
		_ = n.cmd.Process.Kill() // it may have ended
		_ = n.cmd.Wait()         // it did not end well
		return nil
	})
	for deadline := time.Now().Add(time.Minute); ; {
		c, err := enclave.Dial(ctx, socket)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return errors.Join(err, n.stop(), errors.New(words.String()))
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// serve runs the enclave here, which is for tests.
func (n *storageNode) serve(ctx context.Context, socket string) error {
	l, err := enclave.Listen(socket)
	if err != nil {
		return err
	}
	s := &trusted.Server{Core: n.core, Lock: new(sync.Mutex), Par: lifecycle.Parallel}
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("enclave", func(ctx context.Context) error { return enclave.Serve(ctx, l, s) })
	n.cleanUp = append(n.cleanUp, func() error {
		g.Stop()
		return g.Wait()
	})
	return nil
}

// stop ends all of it.
func (n *storageNode) stop() (err error) {
	for i := len(n.cleanUp) - 1; i >= 0; i-- {
		err = errors.Join(err, n.cleanUp[i]())
	}
	n.cleanUp = nil
	return err
}

func (n *storageNode) fail(err error) error { return errors.Join(err, n.stop()) }

// cost is what f costs this process and the enclave.
func (n *storageNode) cost(f func() error) (Cost, error) {
	if n.cmd == nil {
		return costOf(f)
	}
	before, err := cpuTimeOf(n.cmd.Process.Pid)
	if err != nil {
		return Cost{}, err
	}
	c, err := costOf(f)
	if err != nil {
		return c, err
	}
	after, err := cpuTimeOf(n.cmd.Process.Pid)
	c.CPU += after - before
	return c, err
}

// Storage fills and seals with a worker and `crust enclave`, each in turns with a
// writer to the same disk and with the same arithmetic by the standard library.
func Storage(ctx context.Context, binary string, c StorageCase) (r StorageResult, err error) {
	n, err := newStorageNode()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	if err := n.start(ctx, binary, worker.Config{UnitLeaves: c.UnitLeaves, Disks: []disk.Config{{Dir: filepath.Join(n.dir, "sealed")}}}); err != nil {
		return r, err
	}
	for i := range c.Turns {
		fill, err := n.fill(ctx, &c, i)
		if err != nil {
			return r, fmt.Errorf("making fillers: %w", err)
		}
		r.Fill.Add(fill)
	}
	for i := range c.Turns {
		seal, err := n.seal(ctx, &c, i)
		if err != nil {
			return r, fmt.Errorf("sealing files: %w", err)
		}
		r.Seal.Add(seal)
	}
	return r, nil
}

// fill makes fillers until they are durable.
func (n *storageNode) fill(ctx context.Context, c *StorageCase, turn int) (r Compared, err error) {
	r.Bytes = uint64(c.Units) * uint64(c.UnitLeaves) * proof.LeafSize
	if r.Own, err = n.cost(func() error {
		target := uint64(turn+1) * r.Bytes
		n.w.SetFiller(target)
		for n.w.Workload().Filler < target {
			if err := sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return r, err
	}
	if r.Disk, err = writeDurably(n.dir, r.Bytes); err != nil {
		return r, err
	}
	r.Crypto, err = costOf(func() error { return compute(r.Bytes, keystreamAndHash) })
	return r, err
}

// seal seals files, all at the same time, until they are durable.
func (n *storageNode) seal(ctx context.Context, c *StorageCase, turn int) (r Compared, err error) {
	files := make([]*sealFile, c.Units)
	for i := range files {
		// A 32nd less than a unit: headers and tags.
		if files[i], err = newSealFile(uint64(turn*c.Units+i), int(uint64(c.UnitLeaves)*proof.LeafSize/32*31/sealBlock)); err != nil {
			return r, err
		}
		r.Bytes += files[i].size
	}
	if r.Own, err = n.cost(func() error {
		errs := make([]error, len(files))
		lifecycle.Parallel(len(files), func(i int) { errs[i] = files[i].seal(ctx, n.w) })
		return errors.Join(errs...)
	}); err != nil {
		return r, err
	}
	if r.Disk, err = writeDurably(n.dir, r.Bytes); err != nil {
		return r, err
	}
	r.Crypto, err = costOf(func() error { return compute(r.Bytes, hashSealHash) })
	return r, err
}

// sealBlock is the size of a file's blocks.
const sealBlock = 256 << 10

// sealFile is a file of random blocks below a node.
type sealFile struct {
	root   dag.CID
	blocks map[dag.CID][]byte
	size   uint64
}

func newSealFile(seed uint64, blocks int) (*sealFile, error) {
	f := &sealFile{blocks: map[dag.CID][]byte{}}
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	from := rand.NewChaCha8(s)
	add := func(codec dag.Codec, b []byte) dag.CID {
		c := dag.Sum(codec, b)
		f.blocks[c] = b
		f.size += uint64(len(b))
		return c
	}
	var node []byte
	for range blocks {
		b := make([]byte, sealBlock)
		if _, err := from.Read(b); err != nil {
			return nil, err
		}
		c := add(dag.Raw, b).Bytes()
		node = append(node, 2<<3|2, byte(2+len(c)), 1<<3|2, byte(len(c))) // a link, its hash
		node = append(node, c...)
	}
	f.root = add(dag.DagPB, append(node, 1<<3|2, 0))
	return f, nil
}

// seal seals the file as the node's engine does, some blocks at a time.
func (f *sealFile) seal(ctx context.Context, w *worker.Worker) error {
	s, err := w.Begin(ctx, f.root, f.size)
	if err != nil {
		return err
	}
	for want := []dag.CID{f.root}; len(want) > 0; {
		var blocks []worker.Block
		for _, c := range want[:min(len(want), 16)] {
			blocks = append(blocks, worker.Block{CID: c, Data: f.blocks[c]})
		}
		more, err := s.Put(ctx, blocks)
		if err != nil {
			return err
		}
		want = append(want[len(blocks):], more...)
	}
	size, err := s.Commit(ctx)
	if err == nil && size != f.size {
		err = fmt.Errorf("a file of %d bytes was sealed as one of %d", f.size, size)
	}
	return err
}

// writeDurably writes bytes into a new file, a MiB at a time, as dd with conv=fdatasync
// does.
func writeDurably(dir string, size uint64) (Cost, error) {
	path := filepath.Join(dir, "written")
	defer os.Remove(path)
	buf := make([]byte, 1<<20)
	if _, err := rand.NewChaCha8([32]byte{3}).Read(buf); err != nil {
		return Cost{}, err
	}
	return costOf(func() (err error) {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		for ; size > 0; size -= min(size, uint64(len(buf))) {
			if _, err := f.Write(buf[:min(size, uint64(len(buf)))]); err != nil {
				return err
			}
		}
		return datasync(f)
	})
}

// compute does something with every leaf of some bytes, on all processors.
func compute(size uint64, begin func() (leaf func(b []byte), err error)) error {
	n := runtime.GOMAXPROCS(0)
	errs := make([]error, n)
	lifecycle.Parallel(n, func(i int) {
		do, err := begin()
		if errs[i] = err; err != nil {
			return
		}
		b := make([]byte, proof.LeafSize)
		for range size / proof.LeafSize / uint64(n) {
			do(b)
		}
	})
	return errors.Join(errs...)
}

// keystreamAndHash is what a filler's leaf takes at least: AES-256-CTR and SHA-256.
func keystreamAndHash() (func(b []byte), error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	stream := cipher.NewCTR(block, make([]byte, aes.BlockSize))
	return func(b []byte) {
		stream.XORKeyStream(b, b)
		sha256.Sum256(b)
	}, nil
}

// hashSealHash is what a file's bytes take at least: SHA-256 for the CID, AES-256-GCM, and
// SHA-256 of what was sealed.
func hashSealHash() (func(b []byte), error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 0, proof.LeafSize+aead.Overhead())
	nonce := make([]byte, aead.NonceSize())
	return func(b []byte) {
		sha256.Sum256(b)
		sealed = aead.Seal(sealed[:0], nonce, b, nil)
		sha256.Sum256(sealed[:len(b)])
	}, nil
}

// peak is the highest resident memory of the enclave.
func (n *storageNode) peak() (int64, error) {
	pid := os.Getpid()
	if n.cmd != nil {
		pid = n.cmd.Process.Pid
	}
	_, peak, err := rssOf(pid)
	return peak, err
}
