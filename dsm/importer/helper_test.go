package importer

import (
	"os"
	"testing"
)

func skipUnlessLong(t *testing.T) {
	t.Helper()
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("a long test; set CRUST_LONG")
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
