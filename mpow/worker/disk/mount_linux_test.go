package disk

import (
	"errors"
	"syscall"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
)

// mount mounts a file system in memory of some bytes; the test is skipped where that is not allowed.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting is not allowed here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// TestFull writes to a real file system until it has no room.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "size=1m")
	d := open(t, Config{Dir: dir, Reserve: 64 << 10})
	n := uint64(0)
	for ; ; n++ {
		_, err := write(d, n, 4, 4)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != 3 {
		t.Fatalf("%d units of 256 KiB fit into 1 MiB less 64 KiB", n)
	}
	// Somebody else takes the rest while a unit is being written.
	if err := d.Remove(0); err != nil {
		t.Fatal(err)
	}
	if _, err := write(d, 10, 4, 4); err != nil {
		t.Fatalf("a full disk is still good: %v", err)
	}
}

// TestReadOnly remounts a real file system.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "size=4m")
	d := open(t, Config{Dir: dir})
	if _, err := write(d, 1, 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	if _, err := write(d, 2, 1, 1); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("written to a read-only disk: %v", err)
	}
	if d.Free() != 0 || d.Status().Err == nil {
		t.Fatalf("%+v", d.Status())
	}
	if err := d.ReadLeaf(1, 0, make([]byte, proof.LeafSize)); err != nil {
		t.Fatal(err)
	}
	if err := d.Recheck(); !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
		t.Skip(err)
	}
	if err := d.Recheck(); err != nil {
		t.Fatal(err)
	}
	if _, err := write(d, 2, 1, 1); err != nil {
		t.Fatal(err)
	}
}
