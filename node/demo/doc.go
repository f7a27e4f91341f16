// Package demo shows the whole product on one machine, unattended: it starts a network, stores
// files, waits for what the network promises, and looks whether it came.
//
//	report, err := demo.Run(ctx, demo.Config{Program: crust, BasePath: dir, Files: paths, Out: os.Stdout})
//	if !report.Held() { … }
//
// It does nothing that its user could not do: every step is a command of the program, run as
// a process of its own, and every claim is judged by what another command says, or by bytes
// that are compared. Report holds the claims with their evidence.
package demo
