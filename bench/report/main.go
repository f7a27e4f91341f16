package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/crustgo/crust/bench"
	"github.com/crustgo/crust/node"
)

func main() {
	binary := flag.String("binary", "bin/crust", "the program, made by make build")
	out := flag.String("out", "bench/REPORT.md", "file to write")
	quick := flag.Bool("quick", false, "fewer blocks and repetitions, to see that it works")
	repeat := flag.Int("repeat", 0, "runs of each import; 0 stands for the plan's")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	node.TuneMemory()
	plan := bench.FullReport()
	if *quick {
		plan = bench.QuickReport()
	}
	if *repeat > 0 {
		plan.Repeat = *repeat
	}
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err == nil {
		plan.Commit, plan.Binary = strings.TrimSpace(string(commit)), *binary
		var text string
		if text, err = plan.Run(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) }); err == nil {
			err = os.WriteFile(*out, []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}
