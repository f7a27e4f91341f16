package main

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "1000": 1000, "5MiB": 5 << 20, "5 MiB": 5 << 20, "1.5GB": 1_500_000_000, "1.5GiB": 3 << 29, "2k": 2048, "8G": 8 << 30,
		"0.000000001GB": 1, "0.000000009TB": 9000, "18446744073709551615": 1<<64 - 1, "7b": 7} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "5XB", "1.", ".5MiB", "1.2.3", "1e3", "18446744073709551616", "18446744073709551615.9KiB", "16777216TiB", "0x10", "1,5GB", "1.0000000001GB"} {
		if got, err := parseSize(bad); err == nil {
			t.Errorf("%q is %d", bad, got)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 5 << 20: "5 MiB", 3 << 29: "1.5 GiB", 1 << 60: "1024 PiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
