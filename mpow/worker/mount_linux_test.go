package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/crustgo/crust/mpow/worker/disk"
)

// TestFullAndReadOnly has a real file system filled by others, and then turned read-only, under a worker: what
// was committed can be read and is proven all the time, errors say what to do, and when the disk
// is well it goes on.
func TestFullAndReadOnly(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(0)
	dir := cfg.Disks[0].Dir
	m.ok(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("mounting is not allowed here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	cfg.Disks[0].Limit, cfg.Headroom = 0, 1
	m.start(cfg)
	t.Cleanup(m.stop) // before the disk goes
	g := newGraph(1, 3, 70_000)
	m.ok(g.seal(m.w))
	m.slot()

	filler := filepath.Join(dir, "of somebody else")
	f, err := os.Create(filler)
	m.ok(err)
	for b := make([]byte, 4096); err == nil; {
		_, err = f.Write(b)
	}
	m.ok(f.Close())
	h := newGraph(2, 3, 70_000)
	if err := h.seal(m.w); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("sealed on a full disk: %v", err)
	}
	m.slot()
	m.ok(g.check(m.w))
	m.ok(os.Remove(filler))
	m.ok(h.seal(m.w))
	m.slot()

	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	k := newGraph(3, 3, 70_000)
	if err := k.seal(m.w); !errors.Is(err, disk.ErrReadOnly) || !strings.Contains(err.Error(), "mount it for writing again") {
		t.Fatalf("sealed on a read-only disk: %v", err)
	}
	m.slot()
	m.ok(g.check(m.w))
	m.ok(h.check(m.w))
	m.ok(syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=6m"))
	m.ok(m.w.disks[0].Recheck())
	m.ok(k.seal(m.w))
	m.slot()
	m.slot()
	m.ok(k.check(m.w))
}
