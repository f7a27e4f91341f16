package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// importPeersSection compares the import of blocks of transfers with that of
// go-ethereum and of cosmos-sdk.
func importPeersSection(ctx context.Context, r *Run) (text string, err error) {
	c := of(r, []ImportCase{{Accounts: 20_000, Blocks: 50, Txs: 1000}}, []ImportCase{{Accounts: 500, Blocks: 4, Txs: 250}})[0]
	args := []string{"-accounts", fmt.Sprint(c.Accounts), "-blocks", fmt.Sprint(c.Blocks), "-txs", fmt.Sprint(c.Txs)}
	r.progress("making %d blocks of %d transactions three times", c.Blocks, c.Txs)
	m, err := NewImport(c)
	if err != nil {
		return "", err
	}
	var batch []Turn // of the bare verification beside each of our turns
	all := []contender{{"crust", func() (Turn, error) {
		one, err := m.Run()
		batch = append(batch, Turn{Work: one.Txs, CPU: one.Peer.Seconds()})
		return Turn{Work: one.Txs, CPU: one.Own.Seconds(), Wall: one.Wall.Seconds(), Disk: int64(one.DiskBytes)}, err
	}}}
	names := []string{"ours"}
	for _, command := range [][]string{append([]string{"geth", "import"}, args...), append([]string{"cosmos"}, args...)} {
		p, err := r.startPeer(ctx, command[0], command[1:]...)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		all, names = append(all, p.contender), append(names, p.Version)
	}
	r.progress("taking turns")
	turns, err := contest(ctx, r.repeat(5), all)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d blocks of %d signed transfers between %d accounts, into a new chain on disk; medians of %d turns, with the least and the\n"+
		"most. We make each block final and durable by itself. go-ethereum inserts all blocks at once, which is its fastest way, into pebble with\n"+
		"the path scheme, and keeps the state in memory until it is closed, which is not counted. cosmos-sdk commits each block to goleveldb; its\n"+
		"application has no more modules than needed. Rates are by CPU time; the limits are 2 times go-ethereum and 10 times cosmos-sdk.\n\n"+
		"| | CPU µs/tx | wall µs/tx | disk B/tx | our rate over its | of the limit |\n|---|---|---|---|---|---|\n", c.Blocks, c.Txs, c.Accounts, len(turns[0]))
	limits := map[string]float64{"geth": 2, "cosmos": 10}
	for i, c := range all {
		fmt.Fprintf(&b, "| %s | %v | %v | %s |", names[i], over(turns[i], cpuMicros), over(turns[i], wallMicros), short(over(turns[i], diskBytes).median))
		if limit := limits[c.name]; limit > 0 {
			ratio := ratios(turns[i], turns[0], cpuMicros)
			fmt.Fprintf(&b, " %v | %.2f |\n", ratio, ratio.median/limit)
			continue
		}
		b.WriteString(" | |\n")
	}
	fmt.Fprintf(&b, "\nBare batch verification of the same signatures took %v µs a transaction.\n", over(batch, cpuMicros))
	return b.String(), nil
}

// stateSection compares updates of states with those of go-ethereum.
func stateSection(sizes ...int) func(context.Context, *Run) (string, error) {
	return func(ctx context.Context, r *Run) (string, error) {
		var b strings.Builder
		b.WriteString("1,000 updates of random keys in a block, values of 80 bytes, and the root; medians of turns of 240 blocks, with the least and the most.\n" +
			"Every key was changed once before, but for the 10,000,000 that no node has loaded. Ours keeps values and trie, is durable after each block, and its checkpoints are counted. go-ethereum's path database keeps only the trie\n" +
			"here; it holds 128 blocks and 256 MB in memory before it writes, without waiting for the disk, and in the other column each block\n" +
			"is written, still without waiting. The caches of each may take 768 MiB. The limits are 5 ms of CPU at 100,000 keys, 12 ms at 1,000,000,\nand half of go-ethereum's at 10,000,000.\n\n" +
			"| keys | our CPU ms | of the limit | our wall ms | MiB | go-ethereum's CPU ms | its wall ms | MiB | ratio | its CPU ms, written | MiB | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
		var version string
		for _, keys := range of(r, sizes, []int{20_000}) {
			row, v, err := stateRow(ctx, r, keys)
			if err != nil {
				return "", err
			}
			b.WriteString(row)
			version = v
		}
		fmt.Fprintf(&b, "\nWith %s.\n", version)
		return b.String(), nil
	}
}

// stateLimits are the limits of CPU ms for a block, by keys.
var stateLimits = map[int]float64{100_000: 5, 1_000_000: 12}

func stateRow(ctx context.Context, r *Run, keys int) (row, version string, err error) {
	const blocks = 240 // a checkpoint comes about every 57
	r.progress("making states of %d keys", keys)
	own, err := newStateBench(keys)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, own.close()) }()
	all := []contender{{"crust", func() (Turn, error) { return own.turn(blocks) }}}
	processes := []int{os.Getpid()}
	for _, persist := range []bool{false, true} {
		p, err := r.startPeer(ctx, "geth", "state", "-keys", fmt.Sprint(keys), "-blocks", fmt.Sprint(blocks), fmt.Sprintf("-persist=%v", persist))
		if err != nil {
			return "", "", err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		all, version = append(all, p.contender), p.Version
		processes = append(processes, p.cmd.Process.Pid)
	}
	r.progress("taking turns")
	turns, err := contest(ctx, r.repeat(5), all)
	if err != nil {
		return "", "", err
	}
	var memory [3]int64
	for i, process := range processes {
		if memory[i], _, err = rssOf(process); err != nil {
			return "", "", err
		}
	}
	millis := func(t Turn) float64 { return cpuMicros(t) / 1e3 }
	wall := func(t Turn) float64 { return wallMicros(t) / 1e3 }
	ofLimit := ""
	if limit := stateLimits[keys]; limit > 0 {
		ofLimit = fmt.Sprintf("%.2f", over(turns[0], millis).median/limit)
	}
	return fmt.Sprintf("| %d | %v | %s | %v | %d | %v | %v | %d | **%v** | %v | %d | %v |\n", keys, over(turns[0], millis), ofLimit, over(turns[0], wall), memory[0]>>20,
		over(turns[1], millis), over(turns[1], wall), memory[1]>>20, ratios(turns[0], turns[1], cpuMicros), over(turns[2], millis), memory[2]>>20, ratios(turns[0], turns[2], cpuMicros)), version, nil
}

// finalityPeersSection compares finality with that of CometBFT.
func finalityPeersSection(ctx context.Context, r *Run) (text string, err error) {
	c := FinalityCase{Validators: 4, Senders: 200, Rate: 500, For: 20 * time.Second}
	if r.Quick {
		c.Senders, c.Rate, c.For = 50, 100, 5*time.Second
	}
	p, err := r.startPeer(ctx, "comet", "-validators", fmt.Sprint(c.Validators), "-rate", fmt.Sprint(c.Rate), "-seconds", fmt.Sprint(int(c.For.Seconds())))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	turns, err := contest(ctx, r.repeat(3), []contender{{"crust", func() (Turn, error) {
		f, err := Finality(ctx, r.Binary, c)
		t := Turn{Work: f.Sent, Wall: f.Time.Seconds()}
		for _, n := range f.Nodes {
			t.CPU += n.CPU.Seconds()
		}
		for _, d := range f.Latencies {
			t.Times = append(t.Times, d.Seconds())
		}
		return t, err
	}}, p.contender})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d validators on loopback, %d transactions a second, %.0f s in a turn; medians of %d turns, with the least and the most. Ours are\n"+
		"processes of the whole program, from a block's timestamp, the author's clock when it began, until a client heard of its finality from\n"+
		"the slowest validator. CometBFT's are in one process with its key-value store and no pause after a commit, from when the first validator\n"+
		"began with a height until the last one had committed it. The limits are its median, and twice its 99th percentile. A block of ours waits\n"+
		"for the next second before it is begun, which is not counted; CometBFT's begins when the one before is committed.\n\n"+
		"| | p50 s | p99 s | CPU µs/tx, all validators |\n|---|---|---|---|\n", c.Validators, c.Rate, c.For.Seconds(), len(turns[0]))
	quantile := func(share float64) func(Turn) float64 {
		return func(t Turn) float64 { return t.Times[min(int(share*float64(len(t.Times))), len(t.Times)-1)] }
	}
	p50, p99 := quantile(0.5), quantile(0.99)
	for i, name := range []string{"ours", p.Version} {
		fmt.Fprintf(&b, "| %s | %v | %v | %s |\n", name, over(turns[i], p50), over(turns[i], p99), short(over(turns[i], cpuMicros).median))
	}
	fmt.Fprintf(&b, "| ratio | %v | %v, limit 2 | |\n", ratios(turns[0], turns[1], p50), ratios(turns[0], turns[1], p99))
	return b.String(), nil
}
