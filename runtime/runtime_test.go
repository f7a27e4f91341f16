package runtime

import (
	"fmt"
	"testing"
)

func TestDev(t *testing.T) {
	spec, err := Networks()["dev"].Spec()
	if err != nil {
		t.Fatal(err)
	}
	rt, raw, err := Load(spec)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := raw.Encode()
	m, _ := rt.Frame.Metadata(14)
	h, _ := raw.GenesisHeader()
	fmt.Println(len(b), len(m), h.Hash(), rt.Frame.HookOrder())
}
