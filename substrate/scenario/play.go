package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios print into their files")

// Run runs a command, given as its words, and returns what it prints: nothing, or
// lines that each have an end.
type Run func(t *testing.T, words []string) string

// Play plays testdata/*.txt, each as a test of its own. begin starts a story.
func Play(t *testing.T, begin func(t *testing.T) Run) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(raw), begin(t))
			if *rewrite {
				err = os.WriteFile(file, []byte(got), 0o644)
			} else if got != string(raw) {
				t.Errorf("%s prints\n%s", file, got)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// play returns the story with what its commands print now.
func play(t *testing.T, story string, run Run) string {
	var out strings.Builder
	for _, part := range strings.Split(strings.TrimSpace(story), "\n\n") {
		command, _, _ := strings.Cut(part, "\n----")
		out.WriteString(command + "\n")
		if last := command[strings.LastIndexByte(command, '\n')+1:]; !strings.HasPrefix(last, "#") {
			out.WriteString("----\n" + run(t, strings.Fields(last)))
		}
		out.WriteString("\n")
	}
	return strings.TrimSpace(out.String()) + "\n"
}
