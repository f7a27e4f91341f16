package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// plainEvery is how often progress is told where there is no terminal.
const plainEvery = 5 * time.Second

// progress tells how far long work is: a bar on terminals, a line now and then
// elsewhere, nothing with --json.
type progress struct {
	what  string
	out   io.Writer // nil: silent
	tty   bool
	bytes bool // units are bytes of a file, told in percent

	total int64
	done  int64
	bar   *mpb.Bar
	bars  *mpb.Progress
	told  time.Time
}

func (c *chainCommand) progress(cmd *cobra.Command, what string) *progress {
	p := &progress{what: what, out: cmd.ErrOrStderr()}
	if c.json {
		p.out = nil
	}
	f, ok := p.out.(*os.File)
	p.tty = ok && term.IsTerminal(int(f.Fd()))
	return p
}

// begin says how much there is to do.
func (p *progress) begin(total int64) {
	p.total, p.told = total, time.Now()
	if !p.tty {
		return
	}
	count := decor.CountersNoUnit("%d / %d")
	if p.bytes {
		count = decor.CountersKibiByte("% .1f / % .1f")
	}
	p.bars = mpb.New(mpb.WithOutput(p.out))
	p.bar = p.bars.AddBar(total, mpb.PrependDecorators(decor.Name(p.what+" "), count), mpb.AppendDecorators(decor.Percentage(), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
}

// at says how much is done.
func (p *progress) at(done int64) {
	p.done = done
	switch {
	case p.bar != nil:
		p.bar.SetCurrent(done)
	case p.out != nil && time.Since(p.told) >= plainEvery:
		p.told = time.Now()
		fmt.Fprintf(p.out, "%s: %.1f %%\n", p.what, 100*float64(done)/float64(max(p.total, 1)))
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Abort(p.done < p.total)
		p.bars.Wait()
		p.bar = nil
	}
}
