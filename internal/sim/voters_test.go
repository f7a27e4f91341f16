package sim

import "testing"

func TestVoters(t *testing.T) {
	for _, opt := range []VotersOptions{{Seed: 1, Validators: 1, Blocks: 2}, {Seed: 1, Validators: 40, Blocks: 4, Peers: 12}, {Seed: 2, Validators: 40, Offline: 4, Blocks: 4, Peers: 12}} {
		a, err := Voters(opt)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Voters(opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(a)
		if a.P50 != b.P50 || a.P99 != b.P99 || a.Messages != b.Messages {
			t.Errorf("two runs with one seed: %v and %v", a, b)
		}
		if a.Blamed > 0 || a.P50 > 2e9 || opt.Validators > 1 && a.P50 < 100e6 {
			t.Errorf("final after %v, %d reports", a.P50, a.Blamed)
		}
	}
	if _, err := Voters(VotersOptions{Validators: 4, Offline: 2, Blocks: 1}); err == nil {
		t.Error("half of the voters are offline")
	}
}
