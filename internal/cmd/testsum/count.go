package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// plainCounter passes output through; the exit status alone decides.
type plainCounter struct{ out io.Writer }

func (c *plainCounter) line(line []byte) { fmt.Fprintf(c.out, "%s\n", line) }

func (c *plainCounter) counts() (int, int, int) { return 0, 0, 0 }

// goEvent is the part of a "go test -json" event that is needed here.
type goEvent struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// goCounter counts every test and subtest that the event stream names, once
// each. It keeps the output of a test until its fate is known and prints it only
// on failure.
type goCounter struct {
	out                     io.Writer
	passed, failed, skipped int
	held                    map[string][]string // output per test and per package
	failedIn                map[string]int      // failed tests per package
}

// maxHeld bounds the lines kept for one test; the last ones matter.
const maxHeld = 400

func newGoCounter(out io.Writer) *goCounter {
	return &goCounter{out: out, held: map[string][]string{}, failedIn: map[string]int{}}
}

func (c *goCounter) line(line []byte) {
	var e goEvent
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil {
		fmt.Fprintf(c.out, "%s\n", line) // a compiler message, or a tool on stderr
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		held := append(c.held[key], e.Output)
		if len(held) > maxHeld {
			held = held[len(held)-maxHeld:]
		}
		c.held[key] = held
	case "build-output":
		fmt.Fprint(c.out, e.Output)
	case "pass", "fail", "skip":
		c.finish(e, key)
	}
}

func (c *goCounter) finish(e goEvent, key string) {
	held := c.held[key]
	delete(c.held, key)
	if e.Test == "" {
		c.finishPackage(e, held)
		return
	}
	switch e.Action {
	case "pass":
		c.passed++
	case "skip":
		c.skipped++
		fmt.Fprintf(c.out, "--- SKIP %s %s\n%s", e.Package, e.Test, strings.Join(held, ""))
	case "fail":
		c.failed++
		c.failedIn[e.Package]++
		fmt.Fprintf(c.out, "--- FAIL %s %s\n%s", e.Package, e.Test, strings.Join(held, ""))
	}
}

// finishPackage reports a package. A package that fails without a failed test
// (it did not build, panicked or ran out of time) is a failure itself.
func (c *goCounter) finishPackage(e goEvent, held []string) {
	if e.Action == "skip" {
		return // no test files
	}
	fmt.Fprintf(c.out, "%-4s %s %.1f s\n", e.Action, e.Package, e.Elapsed)
	if e.Action == "fail" && c.failedIn[e.Package] == 0 {
		c.failed++
		// Tests that never ended are the likely culprits: show what they printed.
		for key, lines := range c.held {
			if strings.HasPrefix(key, e.Package+" ") {
				fmt.Fprintf(c.out, "--- UNFINISHED %s\n%s", key, strings.Join(lines, ""))
			}
		}
		fmt.Fprint(c.out, strings.Join(held, ""))
	}
}

func (c *goCounter) counts() (int, int, int) { return c.passed, c.failed, c.skipped }

// tapCounter reads the summary comments that end a TAP stream of node:test.
type tapCounter struct {
	out                     io.Writer
	passed, failed, skipped int
}

var tapSummary = regexp.MustCompile(`^# (pass|fail|cancelled|skipped|todo) (\d+)$`)

func (c *tapCounter) line(line []byte) {
	line = bytes.TrimRight(line, "\r")
	fmt.Fprintf(c.out, "%s\n", line)
	m := tapSummary.FindSubmatch(line)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(string(m[2]))
	if err != nil {
		return
	}
	switch string(m[1]) {
	case "pass":
		c.passed += n
	case "fail", "cancelled":
		c.failed += n
	default:
		c.skipped += n
	}
}

func (c *tapCounter) counts() (int, int, int) { return c.passed, c.failed, c.skipped }
