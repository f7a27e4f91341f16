// Package bench measures the whole program and writes the report of it,
// bench/REPORT.md.
//
// Figures of a busy or a throttled machine mean little by themselves, so each is
// reported as a ratio to a limit, or to a peer that is measured at the same time:
// work and peer take turns. CPU time is that of getrusage, over all threads of the
// process, so collections of garbage and compactions of the database count.
//
// The report consists of sections, see [Section]: a name, and a function that
// measures and returns Markdown without a heading. "make bench" measures all that
// are not long; "go run ./bench/report -only NAME" measures one anew and keeps the
// text of the others. Commit, date, machine and how quiet it was are added to each.
// A new section needs a line in [Sections], and honours [Run]: Quick says that
// little is enough, Repeat how many turns a comparison takes.
//
// Nothing here asserts a time: that would fail on a slow machine.
//
// Packages have benchmarks of their own hot paths; those are not repeated here.
package bench //arch:allow longpackage a section a file, which nothing imports and which share how to measure: splitting it would only export that
