package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func total(args []string) error {
	flags := flag.NewFlagSet("total", flag.ContinueOnError)
	file := flags.String("results", "out/results.jsonl", "file the steps appended to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	data, err := os.ReadFile(*file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	results, err := parseResults(data)
	if err != nil {
		return fmt.Errorf("%s: %w", *file, err)
	}
	return printTotal(os.Stdout, append(results, brokenTargets(flags.Args(), results)...))
}

// brokenTargets makes a failure of each named target that ended badly although no
// step recorded a failure: the step before the first record broke.
func brokenTargets(names []string, results []result) []result {
	for _, r := range results {
		if r.Failed > 0 {
			return nil
		}
	}
	var broken []result
	for _, name := range names {
		broken = append(broken, result{Step: name, Failed: 1})
	}
	return broken
}

func parseResults(data []byte) ([]result, error) {
	var results []result
	for line := range bytes.Lines(data) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("bad line %q: %w", line, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// printTotal writes the table and, last, the line that a reader or a machine
// looks for.
func printTotal(out io.Writer, results []result) error {
	var sum result
	fmt.Fprintf(out, "\n%-14s %7s %7s %7s %8s\n", "step", "passed", "failed", "skipped", "seconds")
	for _, r := range results {
		fmt.Fprintf(out, "%-14s %7d %7d %7d %8.0f\n", r.Step, r.Passed, r.Failed, r.Skipped, r.Seconds)
		sum.Passed += r.Passed
		sum.Failed += r.Failed
		sum.Skipped += r.Skipped
		sum.Seconds += r.Seconds
	}
	fmt.Fprintf(out, "%d skipped, %.0f seconds\n", sum.Skipped, sum.Seconds)
	fmt.Fprintf(out, "%d passed, %d failed\n", sum.Passed, sum.Failed)
	if sum.Failed > 0 || sum.Passed == 0 {
		return errFailed
	}
	return nil
}
