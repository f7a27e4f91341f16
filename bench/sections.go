package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crustgo/crust/internal/sim"
)

// Sections is the whole report, in its order.
func Sections() []Section {
	return []Section{
		{Name: "idle", Title: "Start and rest", Measure: idleSection},
		{Name: "submit", Title: "From RPC submission to a finalised block", Measure: submitSection},
		{Name: "import", Title: "Import of blocks of signed transfers to disk", Measure: importSection},
		{Name: "import-peers", Title: "Import beside go-ethereum and cosmos-sdk", Peers: []string{"geth", "cosmos"}, Measure: importPeersSection},
		{Name: "state", Title: "Updates of large states beside go-ethereum", Peers: []string{"geth"}, Measure: stateSection(100_000, 1_000_000)},
		{Name: "state-10m", Title: "Updates of a state of ten million keys beside go-ethereum", Long: true, Peers: []string{"geth"}, Measure: stateSection(10_000_000)},
		{Name: "market", Title: "A market of two million orders", Long: true, Measure: marketSection(20_000, 2_000_000)},
		{Name: "market-20m", Title: "A market of twenty million orders", Long: true, Measure: marketSection(20_000, 20_000_000)},
		{Name: "sync", Title: "Full synchronisation from one peer over loopback", Measure: syncSection},
		{Name: "finality", Title: "Finality of a network on loopback", Measure: finalitySection(time.Minute)},
		{Name: "soak", Title: "Twenty minutes of the same network", Long: true, Measure: finalitySection(20 * time.Minute)},
		{Name: "finality-peers", Title: "Finality beside CometBFT", Peers: []string{"comet"}, Measure: finalityPeersSection},
		{Name: "voters", Title: "Finality in large sets", Measure: votersSection([]sim.VotersOptions{
			{Seed: 1, Validators: 100, Blocks: 20}, {Seed: 1, Validators: 100, Offline: 10, Blocks: 20}})},
		{Name: "voters-1000", Title: "Finality with a thousand validators", Long: true, Measure: votersSection([]sim.VotersOptions{
			{Seed: 1, Validators: 1000, Blocks: 3}, {Seed: 1, Validators: 1000, Offline: 100, Blocks: 3}})},
		{Name: "storage", Title: "Storage", Measure: storageSection},
		{Name: "ipfs", Title: "IPFS beside kubo", Long: true, Measure: ipfsSection},
		{Name: "packages", Title: "Elections, attestation, work reports, proofs of finality", Measure: packagesSection(chainBenches)},
		{Name: "devnet", Title: "A network by one command", Measure: devnetSection},
		{Name: "demo", Title: "The demonstration", Measure: demoSection},
	}
}

// of is the cases of a full report, or those that show in a short time that it works.
func of[T any](r *Run, full, quick []T) []T {
	if r.Quick {
		return quick
	}
	return full
}

func idleSection(ctx context.Context, r *Run) (string, error) {
	var starts []float64
	for range r.repeat(7) {
		one, err := Idle(ctx, r.Binary, 0)
		if err != nil {
			return "", err
		}
		starts = append(starts, one.Start.Seconds())
	}
	rest, err := Idle(ctx, r.Binary, of(r, []time.Duration{30 * time.Second}, []time.Duration{5 * time.Second})[0])
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| what | measured | limit | ratio | command |\n|---|---|---|---|---|\n")
	row := func(what string, v, limit float64, unit, spread, command string) {
		fmt.Fprintf(&b, "| %s | %.4g %s%s | %.4g %s | %.2f | `%s` |\n", what, v, unit, spread, limit, unit, v/limit, command)
	}
	slices.Sort(starts)
	row("fresh start to the first RPC answer, median", starts[len(starts)/2], 0.3, "s", fmt.Sprintf(" (%.3g to %.3g)", starts[0], starts[len(starts)-1]), bench("Start", "10x"))
	row("resident memory of an idle node", float64(rest.RSS)/(1<<20), 80, "MiB", "", bench("Idle", "1x"))
	row("share of a core at a block a second", 100*rest.Share(), 1, "%", "", bench("Idle", "1x"))
	row("size of the program", float64(rest.Binary)/1e6, 60, "MB", "", "ls -l bin/crust")
	row("runtime bound, metadata and query view included", buildRuntime().Seconds()*1e3, 50, "ms", "", bench("BuildRuntime", "20x"))
	row("SCALE encoding of a header", float64(encodeHeader().Nanoseconds()), 50, "ns", "", bench("EncodeHeader", "1s"))
	return b.String(), nil
}

func submitSection(ctx context.Context, r *Run) (string, error) {
	var b strings.Builder
	b.WriteString("The real program makes a block a second; the client runs on the same processors. The limit is 7,600\n" +
		"transactions a second. The rate counts from the first call until the last transaction was seen in a\nfinalised block. Memory is that of the node: ready, highest, and at the end.\n\n" +
		"| senders × each | tx/s | ratio | lost | fullest block | node's CPU µs/tx | memory MiB | disk B/tx |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range of(r, []SubmitCase{
		{Senders: 200_000, Each: 1, Connections: 4, InFlight: 250},
		{Senders: 100, Each: 200, Connections: 4, InFlight: 250},
		{Senders: 100, Each: 2000, Connections: 4, InFlight: 250},
	}, []SubmitCase{{Senders: 100, Each: 20, Connections: 2, InFlight: 50}}) {
		r.progress("%d × %d transactions", c.Senders, c.Each)
		s, err := Submit(ctx, r.Binary, c)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %d × %d | %.0f | %.2f | %d | %d | %.0f | %d, %d, %d | %d |\n", c.Senders, c.Each, s.Rate, s.Rate/7600, s.Sent-s.Finalised, s.Largest,
			float64(s.NodeCPU.Microseconds())/float64(s.Sent), s.StartRSS>>20, s.PeakRSS>>20, s.EndRSS>>20, s.DiskBytes/uint64(s.Sent))
	}
	return b.String(), nil
}

// finalitySection has a network of four under load for some time.
func finalitySection(length time.Duration) func(context.Context, *Run) (string, error) {
	return func(ctx context.Context, r *Run) (string, error) {
		c := FinalityCase{Validators: 4, Senders: 200, Rate: 500, For: length}
		if r.Quick {
			c.Senders, c.Rate, c.For = 50, 100, 10*time.Second
		}
		f, err := Finality(ctx, r.Binary, c)
		if err != nil {
			return "", err
		}
		p50, p99 := f.Quantile(0.5).Seconds(), f.Quantile(0.99).Seconds()
		return fmt.Sprintf("All validators of the real program and the client run on the same processors. Latency is from a block's\n"+
			"timestamp, the author's clock when it began to make it, until the slowest validator told the client\nthat it is final. The limits are 0.45 s for the median, 0.9 s for the 99th percentile, and 200 MB.\n\n"+
			"| validators | tx/s | blocks | median s | ratio | p99 s | ratio | lost | most memory MiB | growth MiB | CPU of a validator |\n|---|---|---|---|---|---|---|---|---|---|---|\n"+
			"| %d | %.0f | %d | %.2f | %.2f | %.2f | %.2f | %d | %d | %d | %.0f %% of a core |\n", c.Validators, float64(f.Sent)/f.Time.Seconds(), len(f.Latencies),
			p50, p50/0.45, p99, p99/0.9, f.Sent-f.Finalised, f.Peak()>>20, f.Growth()>>20, 100*f.Share()), nil
	}
}

func syncSection(ctx context.Context, r *Run) (string, error) {
	var b strings.Builder
	b.WriteString("Both nodes are in one process, each with its own network and chain on disk. It is compared with the import\n" +
		"of the same blocks from memory, of whose rate it should have 0.85 where blocks are full, and with the bare\nchecks of a VRF and a seal for each block on all processors, 0.45 where blocks are empty: by the clock, and by the time of all processors.\n\n" +
		"| blocks × tx | blocks/s | of the import | of the checks |\n|---|---|---|---|\n")
	for _, c := range of(r, []SyncCase{{Accounts: 20_000, Blocks: 100, Txs: 1000}, {Accounts: 1, Blocks: 20_000}},
		[]SyncCase{{Accounts: 1000, Blocks: 10, Txs: 200}, {Accounts: 1, Blocks: 500}}) {
		r.progress("%d blocks of %d transactions", c.Blocks, c.Txs)
		s, err := Sync(ctx, c)
		if err != nil {
			return "", err
		}
		wall, cpu := s.OfImport()
		fmt.Fprintf(&b, "| %d × %d | %.0f | %.2f, %.2f |", c.Blocks, c.Txs, float64(s.Blocks)/s.Sync.Wall.Seconds(), wall, cpu)
		wall, cpu = s.OfBound()
		fmt.Fprintf(&b, " %.2f, %.2f |\n", wall, cpu)
	}
	return b.String(), nil
}

func importSection(ctx context.Context, r *Run) (string, error) {
	var b strings.Builder
	b.WriteString("CPU time over that of bare batch verification of the same signatures by curve25519-voi's batch verifier\n" +
		"at its best batch size. The limit is 2.2. With 300,000 accounts and few blocks most accounts are read\nfor the first time.\n\n" +
		"| accounts | blocks × tx | finalised | µs/tx | peer µs/tx (batch) | ratio, median | spread | of the limit | disk B/tx |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range of(r, []ImportCase{
		{Accounts: 20_000, Blocks: 100, Txs: 1000},
		{Accounts: 20_000, Blocks: 100, Txs: 1000, Row: true},
		{Accounts: 300_000, Blocks: 60, Txs: 1000},
		{Accounts: 300_000, Blocks: 200, Txs: 1000},
	}, []ImportCase{{Accounts: 2000, Blocks: 10, Txs: 200}}) {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		r.progress("%d blocks of %d transactions, %d accounts", c.Blocks, c.Txs, c.Accounts)
		m, err := NewImport(c)
		if err != nil {
			return "", err
		}
		var all []ImportResult
		for range r.repeat(3) {
			one, err := m.Run()
			if err != nil {
				return "", err
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
		fmt.Fprintf(&b, "| %d | %d × %d | %s | %.1f | %.1f (%d) | %.2f | %.2f to %.2f | %.2f | %d |\n", c.Accounts, c.Blocks, c.Txs, how, us(mid.Own), us(mid.Peer), mid.PeerBatch,
			mid.Ratio(), all[0].Ratio(), all[len(all)-1].Ratio(), mid.Ratio()/2.2, mid.DiskBytes/uint64(mid.Txs))
	}
	return b.String(), nil
}

// votersSection simulates many voters: how long a block takes to be final.
func votersSection(cases []sim.VotersOptions) func(context.Context, *Run) (string, error) {
	return func(ctx context.Context, r *Run) (string, error) {
		var b strings.Builder
		b.WriteString("Real voters on headers that nobody executes, about 25 peers each, links of 20 to 150 ms; a header is\n" +
			"passed on before its block is there (ADR 0035). By the simulated clock, from the author's clock to finality, over all voters and blocks. The limits for p50\n" +
			"are 0.65 s with 100 validators, 0.95 s with 1,000, and three times that with a tenth offline. CPU is that of one voter for a\n" +
			"block after the first, which hears all of it again, alone, and verifies for itself, with 60 MiB in use for the collector, as\n" +
			"a node has; by the wall clock, over batch verification of a round's votes, the least of ten turns of both.\n\n" +
			"| validators | offline | blocks | p50 s | p99 s | of the limit | slowest voter, p50 s | messages | CPU ms | ratio to a batch | run s |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
		for _, o := range of(r, cases, []sim.VotersOptions{{Seed: 1, Validators: 20, Blocks: 5}}) {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			r.progress("%d validators, %d offline", o.Validators, o.Offline)
			m, err := sim.Voters(o)
			if err != nil {
				return "", err
			}
			limit := 0.65
			if o.Validators > 100 {
				limit = 0.95
			}
			if o.Offline > 0 {
				limit *= 3
			}
			fmt.Fprintf(&b, "| %d | %d | %d | %.3f | %.3f | %.2f | %.3f | %d | %.1f | %.1f | %.0f |\n", m.Validators, m.Offline, m.Blocks, m.P50.Seconds(), m.P99.Seconds(),
				m.P50.Seconds()/limit, m.SlowestP50.Seconds(), m.Messages, 1e3*m.CPU.Seconds(), m.Ratio(), m.Wall.Seconds())
		}
		b.WriteString("\nOne row: `crust sim --validators 100 --offline 10 --blocks 20`.\n")
		return b.String(), nil
	}
}
