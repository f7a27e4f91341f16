package enclave

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/trusted"
)

// cpu is the processor time of the worker and its enclave, in milliseconds. Noise
// by other programs is not in it.
func (p *process) cpu() float64 {
	p.t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		p.t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	ticks := 0
	for _, s := range f[11:13] { // user and system, in hundredths of a second
		n, err := strconv.Atoi(s)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return float64(r.Utime.Nano()+r.Stime.Nano())/1e6 + float64(ticks)*10
}

// boundCPU is what AES-256-CTR and SHA-256 over some leaves take.
func boundCPU(tb testing.TB, leaves int) float64 {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	stream := cipher.NewCTR(block, make([]byte, 16))
	leaf := make([]byte, proof.LeafSize)
	var from, to syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &from); err != nil {
		tb.Fatal(err)
	}
	for range leaves {
		stream.XORKeyStream(leaf, leaf)
		sha256.Sum256(leaf)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &to); err != nil {
		tb.Fatal(err)
	}
	return float64(to.Utime.Nano()+to.Stime.Nano()-from.Utime.Nano()-from.Stime.Nano()) / 1e6
}

// BenchmarkFill makes fillers across the process boundary and drops them: CPU of
// both sides against AES and SHA of as many bytes in the same run.
func BenchmarkFill(b *testing.B) {
	p := start(b, b.TempDir())
	c, _ := p.dial(proof.MaxUnitLeaves)
	const leaves = 16
	b.SetBytes(leaves * proof.LeafSize)
	n := 0
	from := p.cpu()
	for b.Loop() {
		var a trusted.FillAnswer
		call(b, c, &trusted.FillRequest{Leaves: leaves}, &a)
		n += leaves
	}
	used := p.cpu() - from
	b.ReportMetric(used/boundCPU(b, n), "x-bound-cpu")
}

// BenchmarkChallenge1024 shows 1,024 leaves of 64 KiB, which are in memory, and has
// the report signed: CPU of both sides against AES and SHA of as many bytes.
func BenchmarkChallenge1024(b *testing.B) {
	for _, kind := range []string{"filler", "mixed"} {
		b.Run(kind, func(b *testing.B) {
			p := start(b, b.TempDir())
			const unitLeaves = 256
			c, id := p.dial(unitLeaves)
			chain := prooftest.New()
			r := proof.NewRecord(id.Key, id.Lineage)
			chain.Record = &r
			d := disk{}
			for range 8 {
				d.fill(b, c, trusted.MaxLeaves)
			}
			if kind == "mixed" {
				root, blocks := graph(64, 1<<20)
				d.seal(b, c, root, blocks)
			}
			params := prooftest.Params
			params.UnitLeaves, params.Samples = unitLeaves, 1024
			challenge := func() []trusted.Asked {
				chain.Next()
				var asked trusted.ChallengeAnswer
				call(b, c, &trusted.ChallengeRequest{Params: params, Slot: chain.Slot, Hash: chain.HashOf(chain.Slot), Beacon: chain.Beacon}, &asked)
				return asked.Asked
			}
			report := func() trusted.Signed {
				var persist trusted.Persist
				call(b, c, &trusted.ReportRequest{}, &persist)
				var signed trusted.Signed
				call(b, c, &trusted.PersistedRequest{Seq: persist.Seq}, &signed)
				return signed
			}
			challenge()
			signed := report()
			var first proof.Report
			decode(b, signed.Message, &first)
			chain.Record.Step(first.Counter, first.Plan, first.Files, first.FilesSize, first.Due)
			warp, nodes := chain.Final(b)
			call(b, c, &trusted.FollowRequest{Warp: warp, Nodes: nodes}, new(trusted.FollowAnswer))

			leaves := 0
			from := p.cpu()
			for b.Loop() {
				asked := challenge()
				d.check(b, c, asked, 0, 16)
				report()
				leaves += len(asked)
			}
			used := p.cpu() - from
			b.ReportMetric(float64(leaves)/float64(b.N), "leaves/op")
			b.ReportMetric(used/boundCPU(b, leaves), "x-bound-cpu")
		})
	}
}
