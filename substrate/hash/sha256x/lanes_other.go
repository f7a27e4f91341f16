//go:build !amd64 || purego

package sha256x

const twoLanes = false

func blocks2(_, _ *[8]uint32, _, _ *byte, _ int) { panic("sha256x: no lanes") }

func blocks1(_ *[8]uint32, _ *byte, _ int) { panic("sha256x: no lanes") }
