//go:build !amd64 || purego

package sha256x

const best = alone

func blocks2(_, _ *[8]uint32, _, _ *byte, _ int) { panic("sha256x: no lanes") }

func blocks1(_ *[8]uint32, _ *byte, _ int) { panic("sha256x: no lanes") }

func blocks16(_ *[8][lanes]uint32, _ *[lanes]*byte, _ int) { panic("sha256x: no lanes") }
