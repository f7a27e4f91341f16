package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/crustgo/crust/mpow/proof"
)

// What make bench measures, and what shows in a short time that it works.
var (
	fullStorage  = StorageCase{UnitLeaves: proof.MaxUnitLeaves, Units: 2, Turns: 2} // the units of a production network
	fullPlans    = []ChallengeCase{{Units: 1, Turns: 6}, {Units: 512_000, Turns: 6}}
	quickStorage = StorageCase{UnitLeaves: 256, Units: 2, Turns: 1}
	quickPlans   = []ChallengeCase{{Units: 1, Turns: 1}, {Units: 2000, Turns: 1}}
)

// storageSection is what a storage node costs.
func storageSection(ctx context.Context, r *Run) (string, error) {
	size, plans := fullStorage, fullPlans
	if r.Quick {
		size, plans = quickStorage, quickPlans
	}
	r.progress("a worker and its enclave")
	s, err := Storage(ctx, r.Binary, size)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "A worker in this process, and `crust enclave` as a process of its own; CPU is that of both. Each turn is followed by writing as\n"+
		"many bytes to the same disk with fdatasync, and by the arithmetic alone on all processors with the standard library: AES-256-CTR\n"+
		"and SHA-256 for fillers, two times SHA-256 and AES-256-GCM for files. Units have %d MiB; files blocks of %d KiB.\n\n"+
		"| what | bytes | MB/s | CPU-s/GiB | disk MB/s | arithmetic MB/s | its CPU-s/GiB | speed to the limit, at least 0.9 | CPU to that of the arithmetic |\n|---|---|---|---|---|---|---|---|---|\n",
		size.UnitLeaves>>4, sealBlock>>10)
	row := func(what string, c *Compared, limit Cost) {
		mbs := func(k Cost) float64 { return float64(c.Bytes) / 1e6 / k.Wall.Seconds() }
		gib := func(k Cost) float64 { return k.CPU.Seconds() / float64(c.Bytes) * (1 << 30) }
		fmt.Fprintf(&b, "| %s | %d MiB | %.0f | %.2f | %.0f | %.0f | %.2f | %.2f | %.2f |\n", what, c.Bytes>>20, mbs(c.Own), gib(c.Own), mbs(c.Disk), mbs(c.Crypto), gib(c.Crypto),
			limit.Wall.Seconds()/c.Own.Wall.Seconds(), c.Own.CPU.Seconds()/c.Crypto.CPU.Seconds())
	}
	slower := s.Fill.Disk
	if s.Fill.Crypto.Wall > slower.Wall {
		slower = s.Fill.Crypto
	}
	row("fillers; the limit is the slower of disk and arithmetic", &s.Fill, slower)
	row("files; the limit is the disk, and 1.15 CPU-s/GiB", &s.Seal, s.Seal.Disk)
	b.WriteString("\n### Challenges of 1,024 leaves of 64 KiB\n\nA simulated plan of fillers of 1 GiB each, in files with holes into which the leaves that are asked for were written; the page cache is\n" +
		"dropped before each turn. The limits: 1.2 times the time of reading the same leaves and no more, 1.4 times the CPU of AES-256-CTR and SHA-256, 300 MB.\n\n" +
		"| plan | ms | reading ms | ratio | of the limit | CPU ms | arithmetic ms | ratio | of the limit | enclave's memory MiB | worker's, simulation included |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range plans {
		r.progress("challenges over %d GiB", c.Units)
		m, err := Challenge(ctx, r.Binary, c)
		if err != nil {
			return "", err
		}
		ms := func(seconds float64) float64 { return 1e3 * seconds / float64(c.Turns) }
		wall, cpu := m.Own.Wall.Seconds()/m.Disk.Wall.Seconds(), m.Own.CPU.Seconds()/m.Crypto.CPU.Seconds()
		fmt.Fprintf(&b, "| %d GiB | %.0f | %.0f | %.2f | %.2f | %.0f | %.0f | %.2f | %.2f | %d | %d |\n", c.Units, ms(m.Own.Wall.Seconds()), ms(m.Disk.Wall.Seconds()), wall, wall/1.2,
			ms(m.Own.CPU.Seconds()), ms(m.Crypto.CPU.Seconds()), cpu, cpu/1.4, m.Enclave>>20, m.Worker>>20)
	}
	fmt.Fprintf(&b, "\nCommands: `make build && %s`, `%s`.\n", bench("Storage", "1x"), bench("Challenge", "1x"))
	return b.String(), nil
}
