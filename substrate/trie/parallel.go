package trie

// parallelMin is the number of changes from which splitting an update pays.
const parallelMin = 64

// part is a branch whose children are updated by separate tasks.
type part struct {
	w    *work
	old  *branch
	s    slot // what it was
	kids []partKid
}

type partKid struct {
	nib  int
	was  slot
	task int   // index of the task that updates it, if sub is nil
	sub  *part // the child is itself split
}

// task is a subtree that one goroutine updates.
type task struct {
	s     slot
	ch    []Change
	depth int
	out   slot
	err   error
}

// parallel is update at the root, with the large branches at the top split into
// tasks for par.
func (u *updater) parallel(root slot, ch []Change, par Par) (slot, error) {
	var tasks []*task
	top, err := u.split(root, ch, 0, max(len(ch)/16, 16), &tasks)
	if err != nil {
		return root, err
	}
	if top == nil {
		return u.alone(root, ch)
	}
	lots := shareOut(tasks, len(ch))
	workers := make([]*updater, len(lots))
	u.space.of(0, len(lots))
	par(len(lots), func(i int) {
		w := newUpdater(u.ld, u.version, u.tick, u.space.of(i, len(lots)))
		workers[i] = w
		w.later = &w.space.later
		defer w.later.reset()
		outs := make([]*slot, 0, len(lots[i]))
		for _, t := range lots[i] {
			w.warm(t.s, t.ch, t.depth)
			t.out, t.err = w.update(t.s, t.ch, t.depth)
			outs = append(outs, &t.out)
		}
		w.later.settle(outs...)
	})
	for _, t := range tasks {
		if t.err != nil {
			return root, t.err
		}
	}
	for _, w := range workers {
		u.removed = append(u.removed, w.removed...)
		u.added += w.added
		u.made += w.made
	}
	return u.join(top, tasks)
}

// shareOut groups neighbouring tasks into about lotCount lots of like size.
func shareOut(tasks []*task, changes int) (lots [][]*task) {
	const lotCount = 12
	size := 0
	from := 0
	for i, t := range tasks {
		if size += len(t.ch); size >= changes/lotCount || i == len(tasks)-1 {
			lots = append(lots, tasks[from:i+1])
			from, size = i+1, 0
		}
	}
	return lots
}

// split plans the update of s. It returns nil if s is no branch, or if a change
// falls on the branch itself: then one task does it all.
func (u *updater) split(s slot, ch []Change, depth, large int, tasks *[]*task) (*part, error) {
	if s.size < sizeBig {
		return nil, nil
	}
	br, err := load(u.ld, u.version, &s, Path{ch[0].Key, depth}, u.tick, &u.space.loads)
	if err != nil {
		return nil, err
	}
	end := depth + int(br.nibbles)
	if sharedBy(br, ch, depth) < int(br.nibbles) || 2*len(ch[0].Key) == end {
		return nil, nil
	}
	p := &part{w: u.space.take(), old: br, s: s}
	p.w.path, p.w.depth = Path{ch[0].Key, end}, depth
	if br.value != valueNone {
		p.w.value, p.w.packed, p.w.val = br.value, true, br.val()
	}
	for len(ch) > 0 {
		k := partKid{nib: int(nibble(ch[0].Key, end))}
		n := groupLen(len(ch), func(i int) byte { return nibble(ch[i].Key, end) })
		k.was = br.child(k.nib)
		if n > large {
			if k.sub, err = u.split(k.was, ch[:n], end+1, large, tasks); err != nil {
				return nil, err
			}
			if k.sub != nil && k.was.br == nil {
				br.kid(k.nib).store(k.sub.old)
			}
		}
		if k.sub == nil {
			k.task = len(*tasks)
			*tasks = append(*tasks, &task{s: k.was, ch: ch[:n], depth: end + 1})
		}
		p.kids = append(p.kids, k)
		ch = ch[n:]
	}
	return p, nil
}

// join makes the branch of p from what the tasks made of its children.
func (u *updater) join(p *part, tasks []*task) (slot, error) {
	changed := false
	for i := range p.kids {
		k := &p.kids[i]
		var out slot
		if k.sub != nil {
			var err error
			if out, err = u.join(k.sub, tasks); err != nil {
				return out, err
			}
		} else {
			out = tasks[k.task].out
		}
		if out.ref != k.was.ref || out.size != k.was.size {
			p.w.set(k.nib, out)
			changed = true
		} else if k.was.br == nil && out.br != nil {
			p.old.kid(k.nib).store(out.br)
		}
	}
	if !changed {
		return p.s, nil
	}
	out, err := u.finish(p.w, p.old)
	at := Path{p.w.path.Key, p.w.depth}
	u.space.put(p.w)
	if err == nil && p.s.size == sizeBig && out.size != sizeBig {
		u.remove(at)
	}
	return out, err
}
