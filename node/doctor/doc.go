// Package doctor says what is wrong with a node, and what to do about it: what `crust
// doctor` is, and what docs/operating promises that it checks.
//
//	facts := doctor.Look(ctx, doctor.Config{URL: "ws://127.0.0.1:9944", Roles: []doctor.Role{doctor.StorageNode}})
//	for _, f := range doctor.Judge(facts) {
//		fmt.Println(f.Level, f.Check, f.Found, f.Do)
//	}
//
// Looking and judging are apart. [Look] asks the chain node, the local interfaces, the
// disks and the clock, changes nothing but for a small file that shows whether a disk can be
// written to, and never fails: what could not be found out is a fact as well. [Judge]
// is a function of the facts.
//
// What it does not do: it needs no key, repairs nothing, and trusts the chain node that it asks.
package doctor
