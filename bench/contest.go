package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Turn is what a contender did in one turn, and what that took.
type Turn struct {
	Work  int       `json:"work"` // transactions or blocks
	CPU   float64   `json:"cpuSeconds"`
	Wall  float64   `json:"wallSeconds"`
	Disk  int64     `json:"diskBytes"`
	Times []float64 `json:"times"` // seconds, of single pieces of the work
}

// contender takes turns with others.
type contender struct {
	name string
	turn func() (Turn, error)
}

// contest has contenders take turns, and returns the turns of each. What one takes
// by the clock and of the processors counts in its own turn only.
func contest(ctx context.Context, turns int, all []contender) ([][]Turn, error) {
	out := make([][]Turn, len(all))
	for range turns {
		for i, c := range all {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			t, err := c.turn()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			out[i] = append(out[i], t)
		}
	}
	return out, nil
}

// ownTurn measures f in this process.
func ownTurn(work int, f func() error) (Turn, error) {
	c, err := costOf(f)
	return Turn{Work: work, CPU: c.CPU.Seconds(), Wall: c.Wall.Seconds()}, err
}

// peerProgram is a peer's program that waits for its turns.
type peerProgram struct {
	contender
	Version string // of the peer

	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *json.Decoder
	stderr bytes.Buffer
	ended  bool
}

// startPeer starts a peer's program and waits until it is ready.
func (r *Run) startPeer(ctx context.Context, name string, args ...string) (*peerProgram, error) {
	path, err := r.peer(name)
	if err != nil {
		return nil, err
	}
	p := &peerProgram{cmd: exec.CommandContext(ctx, path, args...)}
	p.contender = contender{name, p.take}
	p.cmd.Stderr, p.cmd.WaitDelay = &p.stderr, 10*time.Second
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(bufio.NewReader(out))
	var ready struct{ Module, Version string }
	if err := p.out.Decode(&ready); err != nil {
		return nil, errors.Join(err, p.close())
	}
	_, module := cutLast(ready.Module, "/")
	p.Version = module + " " + ready.Version
	return p, nil
}

func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:]
}

// take lets the program take its turn.
func (p *peerProgram) take() (t Turn, err error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return t, errors.Join(err, p.close())
	}
	if err := p.out.Decode(&t); err != nil {
		return t, errors.Join(err, p.close())
	}
	return t, nil
}

// close has the program end, once. The error has what it wrote last.
func (p *peerProgram) close() error {
	if p.ended {
		return nil
	}
	p.ended = true
	_ = p.in.Close() // it may have ended
	if err := p.cmd.Wait(); err != nil {
		text := strings.TrimSpace(p.stderr.String())
		_, last := cutLast(text, "\n")
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, last)
	}
	return nil
}

// spread is a figure of several turns.
type spread struct{ least, median, most float64 }

// over is the figure f of each turn.
func over(turns []Turn, f func(Turn) float64) spread {
	all := make([]float64, len(turns))
	for i, t := range turns {
		all[i] = f(t)
	}
	return spreadOf(all)
}

// ratios is f of each turn over that of the other's turn beside it.
func ratios(turns, others []Turn, f func(Turn) float64) spread {
	all := make([]float64, len(turns))
	for i := range turns {
		all[i] = f(turns[i]) / f(others[i])
	}
	return spreadOf(all)
}

func spreadOf(all []float64) spread {
	slices.Sort(all)
	return spread{all[0], all[len(all)/2], all[len(all)-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%s (%s to %s)", short(s.median), short(s.least), short(s.most))
}

// short is a number with three digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// Figures of turns.
func cpuMicros(t Turn) float64  { return t.CPU * 1e6 / float64(t.Work) }
func wallMicros(t Turn) float64 { return t.Wall * 1e6 / float64(t.Work) }
func diskBytes(t Turn) float64  { return float64(t.Disk) / float64(t.Work) }
