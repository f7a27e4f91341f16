package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func feed(c counter, text string) (passed, failed, skipped int) {
	w := &lineWriter{to: c.line}
	for i := 0; i < len(text); i += 7 { // lines arrive in pieces
		if _, err := w.Write([]byte(text[i:min(i+7, len(text))])); err != nil {
			panic(err)
		}
	}
	w.flush()
	return c.counts()
}

func TestGoCounter(t *testing.T) {
	const head = `{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Test":"TestA","Output":"why A broke\n"}
`
	tests := []struct {
		name, events            string
		passed, failed, skipped int
		prints, hides           string
	}{
		{"pass", head + `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, 1, 0, 0, "pass p", "why A broke"},
		{"fail", head + `{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, 0, 1, 0, "why A broke", ""},
		{"skip", head + `{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, 0, 0, 1, "pass p", ""},
		{"no test files", `{"Action":"skip","Package":"p"}`, 0, 0, 0, "", "p"},
		{"build failure", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: oops\n"}
{"Action":"fail","Package":"p"}`, 0, 1, 0, "oops", ""},
		{"panic ends the package", head + `{"Action":"fail","Package":"p"}`, 0, 1, 0, "why A broke", ""},
		{"plain text", "some tool speaks\n", 0, 0, 0, "some tool speaks", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			p, f, s := feed(newGoCounter(&out), tt.events)
			if diff := cmp.Diff([]int{tt.passed, tt.failed, tt.skipped}, []int{p, f, s}); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if !strings.Contains(out.String(), tt.prints) {
				t.Errorf("output lacks %q:\n%s", tt.prints, &out)
			}
			if tt.hides != "" && strings.Contains(out.String(), tt.hides) {
				t.Errorf("output shows %q:\n%s", tt.hides, &out)
			}
		})
	}
}

func TestTAPCounter(t *testing.T) {
	const stream = "TAP version 13\nok 1 - a\n# pass 3 of something else\n" +
		"1..4\n# tests 6\n# pass 3\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n"
	p, f, s := feed(&tapCounter{out: io.Discard}, stream)
	if diff := cmp.Diff([]int{3, 2, 1}, []int{p, f, s}); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestExecute(t *testing.T) {
	tests := []struct {
		name, kind, script string
		passed, failed     int
		wantErr            string
	}{
		{"plain passes", "plain", "exit 0", 1, 0, ""},
		{"plain fails", "plain", "exit 3", 0, 1, "exit status 3"},
		{"go stream that just dies", "go", "exit 2", 0, 1, "exit status 2"},
		{"node stream", "node", "echo '# pass 2'; echo '# fail 1'; exit 1", 2, 1, "exit status 1"},
		{"out of time", "plain", "sleep 60 & wait", 0, 1, "ended after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limit := time.Minute
			if tt.wantErr == "ended after" {
				limit = 2 * time.Second
			}
			res, err := execute("x", tt.kind, ".", limit, []string{"sh", "-c", tt.script}, io.Discard)
			if res.Passed != tt.passed || res.Failed != tt.failed {
				t.Errorf("got %d passed, %d failed; want %d, %d", res.Passed, res.Failed, tt.passed, tt.failed)
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("error %v, want %q", err, tt.wantErr)
			}
		})
	}
}

func TestTotal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "results.jsonl")
	for _, r := range []result{{Step: "a", Passed: 2}, {Step: "b", Passed: 3, Skipped: 1}} {
		if err := record(file, r); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	results, err := parseResults(data)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		results []result
		last    string
		ok      bool
	}{
		{"all passed", results, "5 passed, 0 failed", true},
		{"one failed", append(results, result{Step: "c", Failed: 1}), "5 passed, 1 failed", false},
		{"target broke unseen", append(results, brokenTargets([]string{"make test"}, results)...), "5 passed, 1 failed", false},
		{"nothing ran", nil, "0 passed, 0 failed", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := printTotal(&out, tt.results)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != tt.last {
				t.Errorf("closing line %q, want %q", got, tt.last)
			}
			if (err == nil) != tt.ok {
				t.Errorf("error %v, want ok %v", err, tt.ok)
			}
		})
	}
}
