// Package scenario plays stories with a machine: what goes in, and what the
// machine then wants, as text that a person can read and a test holds it to.
//
//	func TestScenarios(t *testing.T) {
//		scenario.Play(t, func(t *testing.T) scenario.Run {
//			s := newStory(t)
//			return s.run
//		})
//	}
//
// A file in testdata is paragraphs of a command, a line ----, and what it prints.
// Lines that begin with # tell the story. "go test -run Scenarios -rewrite" writes
// what the commands print into the files; the difference is then for the reader.
package scenario
