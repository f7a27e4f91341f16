// Package program gives tests the real program.
//
//	func TestMain(m *testing.M) { os.Exit(program.Main(m)) }
//	...
//	cmd := exec.Command(program.Path(), "node", "--dev")
//
// It is built when it is first needed, once for the tests of a package, and
// removed when they end. CRUST_BIN names another one to use instead.
package program
