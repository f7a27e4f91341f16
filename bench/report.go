package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/crustgo/crust/internal/sim"
)

// Report says what to measure for bench/REPORT.md.
type Report struct {
	Commit  string
	Binary  string
	Repeat  int // runs of each import
	Imports []ImportCase
	Submits []SubmitCase
	Finals  []FinalityCase
	Syncs   []SyncCase
	Idle    time.Duration
	Large   []sim.VotersOptions // simulations of many voters
}

// FullReport is what make bench measures.
func FullReport() Report {
	return Report{
		Repeat: 3, Idle: 30 * time.Second,
		Large: []sim.VotersOptions{{Seed: 1, Validators: 100, Blocks: 20}, {Seed: 1, Validators: 100, Offline: 10, Blocks: 20}},
		Imports: []ImportCase{
			{Accounts: 20_000, Blocks: 100, Txs: 1000},
			{Accounts: 20_000, Blocks: 100, Txs: 1000, Row: true},
			{Accounts: 300_000, Blocks: 60, Txs: 1000},
			{Accounts: 300_000, Blocks: 200, Txs: 1000},
		},
		Submits: []SubmitCase{
			{Senders: 200_000, Each: 1, Connections: 4, InFlight: 250},
			{Senders: 100, Each: 200, Connections: 4, InFlight: 250},
			{Senders: 100, Each: 2000, Connections: 4, InFlight: 250},
		},
		Finals: []FinalityCase{{Validators: 4, Senders: 200, Rate: 500, For: time.Minute}},
		Syncs:  []SyncCase{{Accounts: 20_000, Blocks: 100, Txs: 1000}, {Accounts: 1, Blocks: 20_000}},
	}
}

// QuickReport measures little of everything.
func QuickReport() Report {
	return Report{
		Repeat: 1, Idle: 5 * time.Second,
		Imports: []ImportCase{{Accounts: 2000, Blocks: 10, Txs: 200}},
		Submits: []SubmitCase{{Senders: 100, Each: 20, Connections: 2, InFlight: 50}},
		Finals:  []FinalityCase{{Validators: 4, Senders: 50, Rate: 100, For: 10 * time.Second}},
		Syncs:   []SyncCase{{Accounts: 1000, Blocks: 10, Txs: 200}, {Accounts: 1, Blocks: 500}},
		Large:   []sim.VotersOptions{{Seed: 1, Validators: 20, Blocks: 5}},
	}
}

// Run measures and returns the report's text; progress is told what comes next.
func (r *Report) Run(ctx context.Context, progress func(string)) (string, error) {
	var b strings.Builder
	r.head(&b)
	steps := []struct {
		name string
		f    func(context.Context, *strings.Builder) error
	}{{"start and rest", r.idle}, {"submission", r.submits}, {"finality", r.finals}, {"finality in large sets", r.large}, {"synchronisation", r.syncs}, {"import", r.imports}}
	for _, s := range steps {
		progress(s.name)
		if err := s.f(ctx, &b); err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.String(), nil
}

func (r *Report) head(b *strings.Builder) {
	fmt.Fprintf(b, `# Measured

Written by %[1]smake bench%[1]s. Ratios are what counts: to a limit, or to a peer that took turns
with the work in the same process. CPU time is that of getrusage, over all threads.

Commit %[2]s, %[3]s, %[4]s/%[5]s, %[6]s, %[7]d processors, load %[8]s.

`, "`", r.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, cpuModel(), runtime.NumCPU(), load())
}

func (r *Report) idle(ctx context.Context, b *strings.Builder) error {
	var starts []float64
	for range max(3, 2*r.Repeat) {
		one, err := Idle(ctx, r.Binary, 0)
		if err != nil {
			return err
		}
		starts = append(starts, one.Start.Seconds())
	}
	rest, err := Idle(ctx, r.Binary, r.Idle)
	if err != nil {
		return err
	}
	b.WriteString("## Start and rest\n\n| what | measured | limit | ratio | command |\n|---|---|---|---|---|\n")
	row := func(what string, v, limit float64, unit, spread, command string) {
		fmt.Fprintf(b, "| %s | %.4g %s%s | %.4g %s | %.2f | `%s` |\n", what, v, unit, spread, limit, unit, v/limit, command)
	}
	slices.Sort(starts)
	row("fresh start to the first RPC answer, median", starts[len(starts)/2], 0.3, "s", fmt.Sprintf(" (%.3g to %.3g)", starts[0], starts[len(starts)-1]), bench("Start", "10x"))
	row("resident memory of an idle node", float64(rest.RSS)/(1<<20), 80, "MiB", "", bench("Idle", "1x"))
	row("share of a core at a block a second", 100*rest.Share(), 1, "%", "", bench("Idle", "1x"))
	row("size of the program", float64(rest.Binary)/1e6, 60, "MB", "", "ls -l bin/crust")
	row("runtime bound, metadata and query view included", buildRuntime().Seconds()*1e3, 50, "ms", "", bench("BuildRuntime", "20x"))
	row("SCALE encoding of a header", float64(encodeHeader().Nanoseconds()), 50, "ns", "", bench("EncodeHeader", "1s"))
	b.WriteString("\n")
	return nil
}

func (r *Report) submits(ctx context.Context, b *strings.Builder) error {
	b.WriteString("## From RPC submission to a finalised block\n\nThe real program makes a block a second; the client runs on the same processors. The limit is 7,600\n" +
		"transactions a second. The rate counts from the first call until the last transaction was seen in a\nfinalised block. Memory is that of the node: ready, highest, and at the end.\n\n" +
		"| senders × each | tx/s | ratio | lost | fullest block | node's CPU µs/tx | memory MiB | disk B/tx |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.Submits {
		s, err := Submit(ctx, r.Binary, c)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "| %d × %d | %.0f | %.2f | %d | %d | %.0f | %d, %d, %d | %d |\n", c.Senders, c.Each, s.Rate, s.Rate/7600, s.Sent-s.Finalised, s.Largest,
			float64(s.NodeCPU.Microseconds())/float64(s.Sent), s.StartRSS>>20, s.PeakRSS>>20, s.EndRSS>>20, s.DiskBytes/uint64(s.Sent))
	}
	fmt.Fprintf(b, "\nCommand: `make build && %s`.\n\n", bench("Submit", "1x"))
	return nil
}

func (r *Report) finals(ctx context.Context, b *strings.Builder) error {
	b.WriteString("## Finality of a network on loopback\n\nAll validators of the real program and the client run on the same processors. Latency is from a block's\n" +
		"timestamp, the author's clock when it began to make it, until the slowest validator told the client\nthat it is final. The limits are 0.45 s for the median, 0.9 s for the 99th percentile, and 200 MB.\n\n" +
		"| validators | tx/s | blocks | median s | ratio | p99 s | ratio | lost | most memory MiB | growth MiB | CPU of a validator |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.Finals {
		f, err := Finality(ctx, r.Binary, c)
		if err != nil {
			return err
		}
		p50, p99 := f.Quantile(0.5).Seconds(), f.Quantile(0.99).Seconds()
		fmt.Fprintf(b, "| %d | %.0f | %d | %.2f | %.2f | %.2f | %.2f | %d | %d | %d | %.0f %% of a core |\n", c.Validators, float64(f.Sent)/f.Time.Seconds(), len(f.Latencies),
			p50, p50/0.45, p99, p99/0.9, f.Sent-f.Finalised, f.Peak()>>20, f.Growth()>>20, 100*f.Share())
	}
	fmt.Fprintf(b, "\nCommand: `make build && %s`.\n\n", bench("Finality", "1x"))
	return nil
}

func (r *Report) syncs(ctx context.Context, b *strings.Builder) error {
	b.WriteString("## Full synchronisation from one peer over loopback\n\nBoth nodes are in one process, each with its own network and chain on disk. It is compared with the import\n" +
		"of the same blocks from memory, of whose rate it should have 0.85 where blocks are full, and with the bare\nchecks of a VRF and a seal for each block on all processors, 0.45 where blocks are empty: by the clock, and by the time of all processors.\n\n" +
		"| blocks × tx | blocks/s | of the import | of the checks |\n|---|---|---|---|\n")
	for _, c := range r.Syncs {
		s, err := Sync(ctx, c)
		if err != nil {
			return err
		}
		wall, cpu := s.OfImport()
		fmt.Fprintf(b, "| %d × %d | %.0f | %.2f, %.2f |", c.Blocks, c.Txs, float64(s.Blocks)/s.Sync.Wall.Seconds(), wall, cpu)
		wall, cpu = s.OfBound()
		fmt.Fprintf(b, " %.2f, %.2f |\n", wall, cpu)
	}
	fmt.Fprintf(b, "\nCommand: `%s`.\n\n", bench("Sync", "1x"))
	return nil
}

func (r *Report) imports(ctx context.Context, b *strings.Builder) error {
	b.WriteString("## Import of blocks of signed transfers to disk\n\nCPU time over that of bare batch verification of the same signatures by curve25519-voi's batch verifier\n" +
		"at its best batch size. The limit is 2.2. With 300,000 accounts and few blocks most accounts are read\nfor the first time.\n\n" +
		"| accounts | blocks × tx | finalised | µs/tx | peer µs/tx (batch) | ratio, median | spread | of the limit | disk B/tx |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.Imports {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m, err := NewImport(c)
		if err != nil {
			return err
		}
		var all []ImportResult
		for range r.Repeat {
			one, err := m.Run()
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		slices.SortFunc(all, func(x, y ImportResult) int { return int(1e6 * (x.Ratio() - y.Ratio())) })
		mid := &all[len(all)/2]
		how := "each block"
		if c.Row {
			how = "at the end"
		}
		us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(mid.Txs) }
		fmt.Fprintf(b, "| %d | %d × %d | %s | %.1f | %.1f (%d) | %.2f | %.2f to %.2f | %.2f | %d |\n", c.Accounts, c.Blocks, c.Txs, how, us(mid.Own), us(mid.Peer), mid.PeerBatch,
			mid.Ratio(), all[0].Ratio(), all[len(all)-1].Ratio(), mid.Ratio()/2.2, mid.DiskBytes/uint64(mid.Txs))
	}
	fmt.Fprintf(b, "\nCommand: `%s`.\n", bench("Import", "3x"))
	return nil
}

// bench is the command that measures one figure alone.
func bench(name, times string) string {
	return "go test -run '^$' -bench " + name + " -benchtime " + times + " ./bench"
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

// load is the load of the machine in the last minute, five and fifteen minutes.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	f := strings.Fields(string(b))
	return strings.Join(f[:min(3, len(f))], " ")
}
