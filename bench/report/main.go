package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/crustgo/crust/bench"
	"github.com/crustgo/crust/node"
)

func main() {
	out := flag.String("out", "bench/REPORT.md", "file to write")
	only := flag.String("only", "", "names of sections, with commas between; all that are not long if empty")
	list := flag.Bool("list", false, "list the sections and end")
	start := time.Now()
	run := &bench.Run{Progress: func(line string) {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(start).Seconds(), line)
	}}
	flag.StringVar(&run.Binary, "binary", "bin/crust", "the program, made by make build")
	flag.StringVar(&run.Peers, "peers", "out/peers", "folder of the peers' programs, made by make peers")
	noPeers := flag.Bool("no-peers", false, "leave out what is compared with peers' programs")
	flag.BoolVar(&run.Quick, "quick", false, "little of everything, to see that it works")
	flag.IntVar(&run.Repeat, "repeat", 0, "turns of each comparison; 0 stands for the section's own number")
	flag.Parse()
	if *noPeers {
		run.Peers = ""
	}
	all := bench.Sections()
	if *list {
		for _, s := range all {
			fmt.Printf("%-16s %s%s\n", s.Name, s.Title, map[bool]string{true: " (long: by name only)"}[s.Long])
		}
		return
	}
	if err := measure(run, all, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func measure(run *bench.Run, all []bench.Section, only, out string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	node.TuneMemory(node.DefaultCache())
	sections, err := bench.Select(all, strings.FieldsFunc(only, func(r rune) bool { return r == ',' }))
	if err != nil {
		return err
	}
	report, err := bench.LoadReport(out)
	if err != nil {
		return err
	}
	return report.Measure(ctx, run, sections, all, out)
}
