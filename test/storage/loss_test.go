package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/test/program"
)

// TestLongLostDisk deletes the disk on which most of a node's units are, while it runs: it refuses to
// report, declares the loss, keeps slot and registration, and fills again what room is left; its
// owner's stake limit goes down and up with it.
func TestLongLostDisk(t *testing.T) {
	program.Long(t)
	w := start(t, 1, func(p *runtime.Preset) { p.Storage.AuditOdds = 1 << 30 }) // who loses what an audit has asked for already is suspended
	w.group(owner, member)
	second := filepath.Join(shortDir(t), "second")
	const units = 24
	n := w.add(member, owner, units, "--disk", fmt.Sprintf("%s:%d", filepath.Join(shortDir(t), "first"), 20*disk.FileSize(unitLeaves)),
		"--disk", fmt.Sprintf("%s:%d", second, 40*disk.FileSize(unitLeaves)))
	w.counted(owner, 1, units)
	w.beats(1, n)
	before, was := w.limit(owner), w.recordOf(member)
	w.ok(os.RemoveAll(second))
	w.await("the declared loss", func() bool {
		return n.told().Losses > 0 && w.recordOf(member).Plan.Filler < was.Plan.Filler-4*unitLeaves
	})
	log, err := os.ReadFile(n.Log)
	w.ok(err)
	if !strings.Contains(string(log), "the loss is declared instead") {
		t.Error("the node did not say that it declares a loss")
	}
	left := w.recordOf(member)
	if left.Key != was.Key || left.Lineage != was.Lineage {
		t.Fatal("the node is registered anew")
	}
	w.await("the owner's stake limit to fall", func() bool { return w.limit(owner).Cmp(before) < 0 })
	low := w.limit(owner)
	w.await("filler to grow again", func() bool { return w.recordOf(member).Plan.Filler > left.Plan.Filler })
	w.await("the stake limit to follow", func() bool { return w.limit(owner).Cmp(low) > 0 })
	n.well()
}
