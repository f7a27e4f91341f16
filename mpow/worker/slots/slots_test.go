package slots

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/mpow/proof"
)

var config = Config{Lineage: proof.Lineage{1}, ReportSlot: 20, Deadline: 12, AuditWindow: 16}

// at is a view of block n in the slot that begins at 40, whose beacon is known from
// block 43 on.
func at(n uint32, change ...func(*View)) *View {
	v := &View{Number: n, Registered: true, Start: 40, Hash: proof.Hash{1}, Reported: 20}
	if n >= 43 {
		v.Beacon = proof.Hash{2}
	}
	v.Record.Counter, v.Record.Changes = 7, 30
	for _, f := range change {
		f(v)
	}
	return v
}

func own(change ...func(*Own)) *Own {
	o := &Own{Counter: 7, Changes: 30}
	for _, f := range change {
		f(o)
	}
	return o
}

func TestOffset(t *testing.T) {
	seen := map[uint32]bool{}
	for i := range 100 {
		c := config
		c.Lineage = proof.Lineage{byte(i)}
		seen[c.Offset()] = true
	}
	if len(seen) != 4 || !seen[4] || !seen[7] {
		t.Fatalf("offsets %v", seen)
	}
	for _, deadline := range []uint32{0, 4, 5} {
		if c := (Config{Deadline: deadline}); c.Offset() != 4 {
			t.Fatalf("offset %d with a deadline of %d", c.Offset(), deadline)
		}
	}
}

func TestHead(t *testing.T) {
	reported := func(v *View) { v.Reported = 40 }
	audit := func(v *View) { v.Audit = 20 }
	lost := func(o *Own) { o.Lost = true }
	cases := map[string]struct {
		before func(m *Machine) // what was done
		view   *View
		own    *Own
		want   Todo
	}{
		"another worker":                {view: at(46, func(v *View) { v.Registered = false }), own: own(), want: Todo{}},
		"an audit was missed":           {view: at(46, func(v *View) { v.Failed = true }), own: own(), want: Todo{}},
		"before the first slot":         {view: &View{Number: 5, Registered: true}, own: &Own{}, want: Todo{}},
		"no beacon":                     {view: at(42), own: own(), want: Todo{}},
		"beacon known, too early":       {view: at(43), own: own(), want: Todo{}},
		"time to report":                {view: at(45), own: own(), want: Todo{Heartbeat: true}},
		"late":                          {view: at(51), own: own(), want: Todo{Heartbeat: true}},
		"too late":                      {view: at(52), own: own(), want: Todo{}},
		"reported":                      {view: at(46, reported), own: own(), want: Todo{}},
		"the last step is not final":    {view: at(46), own: own(func(o *Own) { o.Counter = 6 }), want: Todo{}},
		"an audit is open":              {view: at(46, audit), own: own(), want: Todo{Answer: true}},
		"the audit was answered":        {before: func(m *Machine) { m.Answered(at(45, audit)) }, view: at(46, audit), own: own(), want: Todo{}},
		"the answer did not come":       {before: func(m *Machine) { m.Answered(at(43, audit)) }, view: at(46, audit), own: own(), want: Todo{Answer: true}},
		"the next audit":                {before: func(m *Machine) { m.Answered(at(43, audit)) }, view: at(44, func(v *View) { v.Audit = 40 }), own: own(), want: Todo{Answer: true}},
		"sent":                          {before: func(m *Machine) { m.Signed(at(45)) }, view: at(46), own: own(), want: Todo{}},
		"sent and not there":            {before: func(m *Machine) { m.Signed(at(45)) }, view: at(48), own: own(), want: Todo{Again: true}},
		"sent again":                    {before: func(m *Machine) { m.Signed(at(45)); m.SentAgain(at(48)) }, view: at(50), own: own(), want: Todo{}},
		"another hash after a re-org":   {before: func(m *Machine) { m.Signed(at(45)) }, view: at(46, func(v *View) { v.Hash[0]++ }), own: own(), want: Todo{Heartbeat: true}},
		"another beacon":                {before: func(m *Machine) { m.Signed(at(45)) }, view: at(46, func(v *View) { v.Beacon[0]++ }), own: own(), want: Todo{Heartbeat: true}},
		"another plan":                  {before: func(m *Machine) { m.Signed(at(45)) }, view: at(46, func(v *View) { v.Record.Plan.Root[0]++ }), own: own(), want: Todo{Heartbeat: true}},
		"the next slot":                 {before: func(m *Machine) { m.Signed(at(25, func(v *View) { v.Start = 20 })) }, view: at(45), own: own(), want: Todo{Heartbeat: true}},
		"files to tell":                 {view: at(60), own: own(func(o *Own) { o.Changes = 31 }), want: Todo{Files: true, FilesFrom: 30}},
		"files were told":               {before: func(m *Machine) { m.Told(at(58)) }, view: at(60), own: own(func(o *Own) { o.Changes = 31 }), want: Todo{}},
		"some of the files were told":   {before: func(m *Machine) { m.Told(at(58)) }, view: at(60, func(v *View) { v.Record.Changes = 31 }), own: own(func(o *Own) { o.Changes = 40 }), want: Todo{Files: true, FilesFrom: 31}},
		"the file report did not come":  {before: func(m *Machine) { m.Told(at(52)) }, view: at(60), own: own(func(o *Own) { o.Changes = 31 }), want: Todo{Files: true, FilesFrom: 30}},
		"a loss, too early":             {view: at(55), own: own(lost), want: Todo{}},
		"a loss":                        {view: at(56), own: own(lost), want: Todo{Loss: true, LossUntil: 59}},
		"a loss, too late":              {view: at(58), own: own(lost), want: Todo{}},
		"a loss was declared":           {before: func(m *Machine) { m.Declared(at(56)) }, view: at(57), own: own(lost), want: Todo{}},
		"no heartbeat while it is lost": {view: at(46), own: own(lost), want: Todo{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := New(config)
			if c.before != nil {
				c.before(m)
			}
			if got := m.Head(c.view, c.own); got != c.want {
				t.Fatal(cmp.Diff(c.want, got))
			}
		})
	}
}

// TestEverySlot runs the machine over blocks that come, go back and skip, with
// transactions that get lost: as long as one sending of a slot gets through, the slot is reported.
func TestEverySlot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := config
		cfg.Lineage[0] = rapid.Byte().Draw(t, "lineage")
		m := New(cfg)
		v := &View{Registered: true}
		o := &Own{}
		counter, finalIn := uint64(0), uint32(0)
		for n := uint32(1); n < 200; n++ {
			v.Number, v.Start = n, n/20*20
			v.Beacon = proof.Hash{}
			if v.Start > 0 && n >= v.Start+3 {
				v.Hash, v.Beacon = proof.Hash{byte(v.Start)}, proof.Hash{byte(v.Start), 1}
			}
			if finalIn > 0 {
				if finalIn--; finalIn == 0 {
					o.Counter = counter
				}
			}
			v.Record.Counter = counter
			if v.Start >= 40 && n == v.Start+13 && v.Reported != v.Start {
				t.Fatalf("slot %d was not reported", v.Start)
			}
			todo := m.Head(v, o)
			if !todo.Heartbeat && !todo.Again {
				continue
			}
			if todo.Heartbeat {
				m.Signed(v)
			} else {
				m.SentAgain(v)
			}
			// At most one sending in a slot is lost.
			if v.Reported != v.Start && (n%20 > 8 || rapid.Bool().Draw(t, "arrives")) {
				v.Reported = v.Start
				counter++
				finalIn = rapid.Uint32Range(1, 5).Draw(t, "final in")
			}
		}
	})
}
