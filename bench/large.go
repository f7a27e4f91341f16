package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/crustgo/crust/internal/sim"
)

// large simulates many voters, and writes how long a block takes to be final.
func (r *Report) large(ctx context.Context, b *strings.Builder) error {
	b.WriteString("## Finality in large sets\n\nReal voters on headers that nobody executes, about 25 peers each, links of 20 to 150 ms; a block crosses each\n" +
		"link three times. By the simulated clock, from the author's clock to finality, over all voters and blocks. The limits for p50\n" +
		"are 0.65 s with 100 validators, 0.95 s with 1,000, and three times that with a tenth offline. CPU is that of one voter that\n" +
		"verifies for itself, by the wall clock, over batch verification of a round's votes.\n\n" +
		"| validators | offline | blocks | p50 s | p99 s | of the limit | slowest voter, p50 s | messages | CPU ms | ratio to a batch | run s |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range r.Large {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m, err := sim.Voters(o)
		if err != nil {
			return err
		}
		limit := 0.65
		if o.Validators > 100 {
			limit = 0.95
		}
		if o.Offline > 0 {
			limit *= 3
		}
		fmt.Fprintf(b, "| %d | %d | %d | %.3f | %.3f | %.2f | %.3f | %d | %.1f | %.1f | %.0f |\n", m.Validators, m.Offline, m.Blocks, m.P50.Seconds(), m.P99.Seconds(),
			m.P50.Seconds()/limit, m.SlowestP50.Seconds(), m.Messages, 1e3*m.CPU.Seconds(), m.Ratio(), m.Wall.Seconds())
	}
	b.WriteString("\nCommands: `crust sim --validators 100 --offline 10 --blocks 20`, `crust sim --validators 1000 --blocks 3`.\n\n")
	return nil
}
