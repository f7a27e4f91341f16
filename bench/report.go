package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Section is one part of the report, which is measured on its own.
type Section struct {
	Name    string   // what -only takes
	Title   string   // the heading
	Long    bool     // takes more than a few minutes: measured only when it is named
	Peers   []string // programs of bench/peers that it runs
	Measure func(context.Context, *Run) (markdown string, err error)
}

// Run says how sections are measured.
type Run struct {
	Binary   string       // the program, made by make build
	Peers    string       // folder of the peers' programs, made by make peers; without them if empty
	Quick    bool         // little of everything, to see that it works
	Repeat   int          // turns of each comparison; 0 stands for the section's own number
	Progress func(string) // is told what comes next
}

// repeat is how many turns a section takes that likes n.
func (r *Run) repeat(n int) int {
	if r.Quick {
		n = 1
	}
	return cmp.Or(r.Repeat, n)
}

func (r *Run) progress(format string, args ...any) { r.Progress(fmt.Sprintf(format, args...)) }

// peer is the path of a peer's program.
func (r *Run) peer(name string) (string, error) {
	path, err := filepath.Abs(filepath.Join(r.Peers, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no program of the peer at %s: run make peers, or leave the comparisons out with -no-peers", path)
	}
	return path, nil
}

// Select is the sections with those names, in the report's order; without names,
// those that are not long.
func Select(all []Section, names []string) ([]Section, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(all), func(s Section) bool { return s.Long }), nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s Section) bool { return s.Name == name }) {
			return nil, fmt.Errorf("no section has the name %q", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Section) bool { return !slices.Contains(names, s.Name) }), nil
}

// Report is the report's text by section.
type Report struct{ sections map[string]string }

const sectionMark = "<!-- section "

// LoadReport reads a report; one that does not exist is empty.
func LoadReport(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return parseReport(string(b)), nil
}

func parseReport(text string) *Report {
	r := &Report{sections: map[string]string{}}
	for _, part := range strings.Split("\n"+text, "\n"+sectionMark)[1:] {
		name, body, _ := strings.Cut(part, " -->\n")
		r.sections[name] = strings.TrimSpace(body)
	}
	return r
}

// Save writes the report: the sections of all in their order. One that was never
// measured says so.
func (r *Report) Save(path string, all []Section) error {
	var b strings.Builder
	b.WriteString(`# Measured

Written by ` + "`make bench`" + `. Ratios are what counts: to a limit, or to a peer that took turns with
the work on the same machine. CPU time is that of getrusage, over all threads. Each section says at
which commit it was measured and how quiet the machine was; ` + "`go run ./bench/report -only NAME`" + ` measures
one anew and leaves the others as they are.
`)
	for _, s := range all {
		text := r.sections[s.Name]
		if text == "" {
			text = fmt.Sprintf("## %s\n\nNot measured yet: `go run ./bench/report -only %s`.", s.Title, s.Name)
		}
		fmt.Fprintf(&b, "\n%s%s -->\n%s\n", sectionMark, s.Name, text)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// Measure measures sections one by one and saves the report after each. The text
// of a section that fails stays as it was.
func (r *Report) Measure(ctx context.Context, run *Run, sections, all []Section, path string) error {
	if err := run.check(sections); err != nil {
		return err
	}
	commit, err := commit(ctx)
	if err != nil {
		return err
	}
	var failed error
	for i, s := range sections {
		if len(s.Peers) > 0 && run.Peers == "" {
			run.progress("%s: left out, without peers", s.Name)
			continue
		}
		run.progress("%s (%d of %d)", s.Name, i+1, len(sections))
		w := watch()
		text, err := s.Measure(ctx, run)
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.Name, err))
			run.progress("%s: %v", s.Name, err)
			continue
		}
		r.sections[s.Name] = fmt.Sprintf("## %s\n\n%s\n\nMeasured%s %s at commit %s: %s.", s.Title, strings.TrimSpace(text),
			map[bool]string{true: " **on little data**"}[run.Quick], w.start.UTC().Format(time.DateOnly), commit, w.conditions())
		if err := r.Save(path, all); err != nil {
			return err
		}
	}
	return failed
}

// check looks for the programs that sections need, before anything is measured.
func (r *Run) check(sections []Section) error {
	if _, err := os.Stat(r.Binary); err != nil {
		return fmt.Errorf("%w: run make build", err)
	}
	if r.Peers == "" {
		return nil
	}
	for _, s := range sections {
		for _, p := range s.Peers {
			if _, err := r.peer(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit is the commit of the source, and whether the source differs from it.
func commit(ctx context.Context) (string, error) {
	hash, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git does not tell the commit: %w", err)
	}
	name := strings.TrimSpace(string(hash))
	if changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--", "*.go", "*go.mod").Output(); err != nil || len(changed) > 0 {
		name += " with changes"
	}
	return name, nil
}

// bench is the command that measures one figure alone.
func bench(name, times string) string {
	return "go test -run '^$' -bench " + name + " -benchtime " + times + " ./bench"
}

// conditions watches the machine while a section is measured.
type conditions struct {
	start time.Time
	load  string
	speed float64
	cpu   machineTime
	own   time.Duration
}

func watch() *conditions {
	return &conditions{start: time.Now(), load: load(), speed: hashSpeed(), cpu: readMachineTime(), own: familyCPU()}
}

// conditions says in one sentence what the machine is and how quiet it was. The
// work of others is what all processors did beyond this process and its children.
func (w *conditions) conditions() string {
	d := time.Since(w.start)
	now := readMachineTime()
	others := (now.busy - w.cpu.busy - (familyCPU() - w.own)).Seconds() / d.Seconds()
	return fmt.Sprintf("%s %s/%s, %s, %d processors; load %s before and %s after %.0f s; others took %.2f of a processor, %.2f was stolen; a hash took %.0f ns before and %.0f ns after",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, cpuModel(), runtime.NumCPU(), w.load, load(), d.Seconds(),
		max(0, others), (now.stolen-w.cpu.stolen).Seconds()/d.Seconds(), w.speed, hashSpeed())
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if _, model, ok := strings.Cut(s.Text(), "model name\t: "); ok {
			return model
		}
	}
	return "unknown processor"
}

// load is the load of the machine in the last minute.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
