package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// packageBench is a run of benchmarks of one package, which are written there.
type packageBench struct {
	pkg, pattern, time string
	long               bool // benchmarks that prepare for minutes and want CRUST_LONG
	figures            []figure
}

// figure is a row that comes from a benchmark. It is compared with a limit in its
// own unit, or with another benchmark of the same run.
type figure struct {
	what   string
	name   string // of the benchmark, without "Benchmark" and the number of processors
	metric string
	unit   string // after scaling
	scale  float64
	limit  float64
	over   string // a benchmark; limit is for the ratio to it
}

// chainBenches are figures of the runtime and of finality.
var chainBenches = []packageBench{
	{pkg: "./gpos/election", pattern: "Elect", time: "20x", figures: []figure{
		{what: "election, 10,000 candidates and 100,000 guarantees, over sorting them", name: "Elect/elect", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 5, over: "Elect/floor"}}},
	{pkg: "./gpos/staking", pattern: "EraChange", time: "1x", long: true, figures: []figure{
		{what: "the era change of the same, all blocks", name: "EraChange/era", metric: "era-cpu-ms", unit: "ms CPU", scale: 1, limit: 2000},
		{what: "its longest block", name: "EraChange/era", metric: "era-longest-cpu-ms", unit: "ms CPU", scale: 1, limit: 250}}},
	{pkg: "./gpos/staking", pattern: "RewardStakers|Recount", time: "100x", figures: []figure{
		{what: "reward_stakers with 64 guarantors", name: "RewardStakers", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 1},
		{what: "limits from workloads, an owner", name: "Recount", metric: "ns/owner", unit: "µs", scale: 1e-3, limit: 10}}},
	{pkg: "./mpow/attest", pattern: "Verify", time: "100x", figures: []figure{
		{what: "attestation on the chain, cold", name: "Verify/Cold", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 1},
		{what: "attestation on the chain, warm", name: "Verify/Warm", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 0.4}}},
	{pkg: "./mpow/swork", pattern: "Heartbeat$|FileReport|AuditAnswer", time: "1000x", figures: []figure{
		{what: "a heartbeat", name: "Heartbeat", metric: "ns/op", unit: "µs", scale: 1e-3, limit: 100},
		{what: "a file report of 300 changes", name: "FileReport", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 5},
		{what: "an audit answer", name: "AuditAnswer", metric: "ns/op", unit: "µs", scale: 1e-3, limit: 100}}},
	// Heartbeats are taken in 47 blocks of a slot, each worker's at random. Reserved for what keeps the chain working are 500 ms of a block, and 1,280 KiB.
	{pkg: "./mpow/swork", pattern: "SlotOf100000", time: "1x", figures: []figure{
		{what: "the fullest of 47 blocks with the heartbeats of 100,000 workers: weight", name: "SlotOf100000", metric: "ms-weight/fullest", unit: "ms", scale: 1, limit: 500},
		{what: "its length", name: "SlotOf100000", metric: "KiB/fullest", unit: "KiB", scale: 1, limit: 1280},
		{what: "the slowest of them: CPU time to make it", name: "SlotOf100000", metric: "ms/slowest", unit: "ms", scale: 1, limit: 500}}},
	{pkg: "./test/shell", pattern: "Warp", time: "1x", figures: []figure{
		{what: "warp proof over 1,000 changes, made", name: "Warp/make", metric: "ns/op", unit: "s", scale: 1e-9, limit: 1},
		{what: "the same, verified", name: "Warp/verify", metric: "ns/op", unit: "s", scale: 1e-9, limit: 5}}},
	{pkg: "./substrate/grandpa", pattern: "Round/voters=1000", time: "1x", figures: []figure{
		{what: "a round of 1,000 voters over batch verification, votes waiting together", name: "Round/voters=1000/waiting=3996", metric: "of-batch", unit: "x", scale: 1, limit: 1.5},
		{what: "the same, 64 votes waiting", name: "Round/voters=1000/waiting=64", metric: "of-batch", unit: "x", scale: 1, limit: 1.5},
		{what: "the same, 4 votes waiting", name: "Round/voters=1000/waiting=4", metric: "of-batch", unit: "x", scale: 1, limit: 1.5}}},
}

// packagesSection runs benchmarks of packages, each several times.
func packagesSection(all []packageBench) func(context.Context, *Run) (string, error) {
	return func(ctx context.Context, r *Run) (string, error) {
		count := r.repeat(3)
		var b strings.Builder
		fmt.Fprintf(&b, "Benchmarks of the packages themselves, the state in memory; medians of %d runs, with the least and the most.\n\n"+
			"| what | measured | limit | of the limit | command |\n|---|---|---|---|---|\n", count)
		for _, p := range all {
			if p.long && r.Quick {
				continue
			}
			r.progress("%s %s", p.pkg, p.pattern)
			results, err := p.run(ctx, count)
			if err != nil {
				return "", err
			}
			for _, f := range p.figures {
				row, err := f.row(results)
				if err != nil {
					return "", fmt.Errorf("%s: %w", p.pkg, err)
				}
				fmt.Fprintf(&b, "| %s | %s | `%s` |\n", f.what, row, p.command())
			}
		}
		return b.String(), nil
	}
}

func (p *packageBench) command() string {
	long := ""
	if p.long {
		long = "CRUST_LONG=1 "
	}
	return fmt.Sprintf("%sgo test -run '^$' -bench '%s' -benchtime %s %s", long, strings.ReplaceAll(p.pattern, "|", `\|`), p.time, p.pkg)
}

func (p *packageBench) run(ctx context.Context, count int) (map[string][]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", p.pattern, "-benchtime", p.time, "-count", strconv.Itoa(count), "-timeout", "20m", p.pkg)
	if p.long {
		cmd.Env = append(os.Environ(), "CRUST_LONG=1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", p.command(), err, out)
	}
	return parseBenchmarks(string(out)), nil
}

// parseBenchmarks reads what go test prints of benchmarks: values by name, a
// space, and the metric.
func parseBenchmarks(text string) map[string][]float64 {
	results := map[string][]float64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if before, after := cutLast(name, "-"); before != "" && strings.Trim(after, "0123456789") == "" {
			name = before
		}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				results[name+" "+f[i+1]] = append(results[name+" "+f[i+1]], v)
			}
		}
	}
	return results
}

// row is the columns of a figure: measured, the limit, and their ratio.
func (f *figure) row(results map[string][]float64) (string, error) {
	values := slices.Clone(results[f.name+" "+f.metric])
	if len(values) == 0 {
		return "", fmt.Errorf("the benchmark %s printed no %s", f.name, f.metric)
	}
	for i := range values {
		values[i] *= f.scale
	}
	measured := spreadOf(slices.Clone(values))
	if f.over == "" {
		return fmt.Sprintf("%v %s | %s %s | %.2f", measured, f.unit, short(f.limit), f.unit, measured.median/f.limit), nil
	}
	floor := results[f.over+" "+f.metric]
	if len(floor) != len(values) {
		return "", fmt.Errorf("the benchmark %s printed %d values, not %d", f.over, len(floor), len(values))
	}
	for i := range values {
		values[i] /= floor[i] * f.scale
	}
	ratio := spreadOf(values)
	return fmt.Sprintf("%v %s, %vx | %sx | %.2f", measured, f.unit, ratio, short(f.limit), ratio.median/f.limit), nil
}
