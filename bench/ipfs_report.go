package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Ratio is a figure against a peer's, one of each repetition, and what it should be.
type Ratio struct {
	Name  string // without spaces
	What  string // in words, with the peer
	Unit  string
	Scale float64 // of a unit
	Limit float64
	Most  bool // whether Limit is the most rather than the least
	Pairs []Pair
}

// median is the middle of what f makes of the pairs.
func (r *Ratio) median(f func(Pair) float64) float64 {
	var all []float64
	for _, p := range r.Pairs {
		all = append(all, f(p))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// Median is the middle ratio.
func (r *Ratio) Median() float64 { return r.median(Pair.Ratio) }

// Ratios are the figures that have a limit.
func (r *IPFSResult) Ratios() []Ratio {
	const mb, ms = 1e6, 1e-3
	return []Ratio{
		{"ingest", "fetched by Bitswap, sealed and durable, 256 KiB blocks; kubo from kubo", "MB/s", mb, 1, false, r.Ingest},
		{"ingest-4KiB", "the same, 4 KiB blocks; a window of 64 into an open database", "MB/s", mb, 3.3, false, r.Small},
		{"parallel", "files at once; one after the other", "MB/s", mb, 1, false, r.Parallel},
		{"gateway-CAR", "archive out of sealed storage by HTTP; kubo's gateway", "MB/s", mb, 1, false, r.CAR},
		{"serve", "out of sealed storage to kubo by Bitswap; kubo from kubo", "MB/s", mb, 1, false, r.Serve},
		{"first-byte", "first byte of a block, p99; kubo's gateway", "ms", ms, 2, true, r.FirstByte},
		{"upload", "upload through the gateway, durable; ipfs add", "MB/s", mb, 0.8, false, r.Upload},
	}
}

// kuboProgram is where make kubo puts the program.
const kuboProgram = "out/kubo/ipfs"

// ipfsCases are those of a full report and of a quick one.
var ipfsCases = [2]IPFSCase{
	{Kubo: kuboProgram, Large: 256 << 20, Small: 64 << 20, Parallel: 8, Clients: 32, Requests: 100},
	{Kubo: kuboProgram, Large: 32 << 20, Small: 8 << 20, Parallel: 4, Clients: 8, Requests: 20},
}

func ipfsSection(ctx context.Context, r *Run) (string, error) {
	c := of(r, ipfsCases[:1], ipfsCases[1:])[0]
	c.Repeat = r.repeat(3)
	if _, err := os.Stat(c.Kubo); err != nil {
		return "", fmt.Errorf("%w: run make kubo", err)
	}
	m, err := IPFS(ctx, r.Binary, c)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "`crust devnet` with a storage node, its enclave and a gateway, beside two daemons of kubo, on the same\n"+
		"processors; both sides take turns. Kubo keeps blocks as they are and does not sync; a storage node seals\nthem and waits for the disk. Files have %d MiB, those in 4 KiB blocks %d MiB; %d files at once are together as\n"+
		"large as one; %d clients ask for %d blocks each. Medians of %d repetitions, ratios with their spread.\n\n"+
		"| what; peer | ours | peer | ratio | spread | limit |\n|---|---|---|---|---|---|\n", c.Large>>20, c.Small>>20, c.Parallel, c.Clients, c.Requests, c.Repeat)
	for _, k := range m.Ratios() {
		low, high := k.Pairs[0].Ratio(), k.Pairs[0].Ratio()
		for _, p := range k.Pairs {
			low, high = min(low, p.Ratio()), max(high, p.Ratio())
		}
		sign := "≥"
		if k.Most {
			sign = "≤"
		}
		fmt.Fprintf(&b, "| %s | %.0f %s | %.0f %s | %.2f | %.2f to %.2f | %s %.1f |\n", k.What, k.median(func(p Pair) float64 { return p.Ours })/k.Scale, k.Unit,
			k.median(func(p Pair) float64 { return p.Peer })/k.Scale, k.Unit, k.Median(), low, high, sign, k.Limit)
	}
	fmt.Fprintf(&b, "\nFiles at once keep %.0f %% of all processors busy, kubo's part included. A file written in pieces of 16 MiB, each\n"+
		"synced: %.0f MB/s. Memory at its highest: %d MiB the storage node, %d MiB its enclave; the limit is 150 MB.\n",
		100*slices.Max(m.Busy), slices.Max(m.Disk)/1e6, m.Storage>>20, m.Enclave>>20)
	return b.String(), nil
}
