// Command report measures what package bench measures and writes bench/REPORT.md.
//
//	make bench            # or: go run ./bench/report -binary bin/crust
package main
