package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/test/program"
)

// TestLongAuditUnanswered has a disk whose bytes are no more what they were: the few leaves that a
// challenge takes can be named as bad, but audits ask for more. The worker is suspended, says what
// to do, and that helps.
func TestLongAuditUnanswered(t *testing.T) {
	program.Long(t)
	w := start(t, 1, func(p *runtime.Preset) { p.Storage.Samples = 4 }) // and every heartbeat is audited
	const units = 12
	w.group(owner, member)
	n := w.add(member, owner, units)
	w.await("free space in the plan", func() bool { return w.recordOf(member).Plan.Filler == units*unitLeaves })
	w.beats(2, n)
	n.well()
	if n.told().Answers == 0 {
		t.Fatal("no audit was answered")
	}
	files, err := filepath.Glob(filepath.Join(n.base, "sealed", "units", "*", "*"))
	w.ok(err)
	if len(files) < units {
		t.Fatalf("%d units on the disk", len(files))
	}
	for _, name := range files {
		info, err := os.Stat(name)
		w.ok(err)
		w.ok(os.WriteFile(name, make([]byte, info.Size()), 0o600))
	}
	key := w.recordOf(member).Key
	lineage := w.recordOf(member).Lineage
	tail, err := n.Ended(w.ctx)
	w.ok(err)
	w.ok(n.Kill()) // its end is known
	if s := n.standing(); !s.Failed {
		t.Fatalf("it ended, and is not suspended: %+v\n%s", s, tail)
	}
	if !strings.Contains(tail, "an audit was not answered in time: register a new one, with a base path and disks of its own") {
		t.Fatalf("it says\n%s", tail)
	}
	again := w.add(member, owner, 2, "--replace")
	w.await("a new worker", func() bool { r := w.recordOf(member); return r.Key != key && r.Lineage != lineage && r.Plan.Filler > 0 })
	again.well()
}
