// Command report measures what package bench measures and writes bench/REPORT.md.
//
//	make bench                                  # all but what is long
//	go run ./bench/report -only import,submit   # some; the others' text stays
//	go run ./bench/report -list                 # the sections
//
// Programs of peers are made by "make peers". Without them a comparison is an
// error, unless -no-peers leaves the comparisons out.
package main
