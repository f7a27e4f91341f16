package grandpa

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func rep(b string, n int) string { return strings.Repeat(b, n) }

func fill[T ~[32]byte | ~[64]byte](b byte) (out T) {
	for i := range len(out) {
		out[i] = b
	}
	return out
}

var (
	aTarget = Target{fill[types.Hash](0x11), 0x01020304}
	bTarget = Target{fill[types.Hash](0x22), 5}
	aVote   = SignedVote{aTarget, fill[[64]byte](0xaa), fill[[32]byte](0xbb)}
	bVote   = SignedVote{bTarget, fill[[64]byte](0xcc), fill[[32]byte](0xdd)}
	aRound  = Round{Set: 2, Number: 3}
)

// The same in hex, from facts substrate-compat §3.4 and §5.
var (
	aTargetHex = rep("11", 32) + "04030201"
	bTargetHex = rep("22", 32) + "05000000"
	aVoteHex   = aTargetHex + rep("aa", 64) + rep("bb", 32)
	bVoteHex   = bTargetHex + rep("cc", 64) + rep("dd", 32)
	aRoundHex  = "0300000000000000 0200000000000000"
	authsHex   = "08" + rep("aa", 32) + "0100000000000000" + rep("bb", 32) + "0102000000000000"
)

func TestSignedPayload(t *testing.T) {
	got := SignedPayload(Precommit, aTarget, aRound)
	if want := unhex("01" + aTargetHex + aRoundHex); !bytes.Equal(got[:], want) {
		t.Errorf("payload\n%x, want\n%x", got, want)
	}
}

func TestMessageLayouts(t *testing.T) {
	two := []SignedVote{aVote, bVote}
	for _, tc := range []struct {
		m    Message
		want string
	}{
		{&VoteMessage{aRound, Precommit, aVote}, "00" + aRoundHex + "01" + aVoteHex},
		{&CommitMessage{aRound, bTarget, two}, "01" + aRoundHex + bTargetHex + "08" + aTargetHex + bTargetHex +
			"08" + rep("aa", 64) + rep("bb", 32) + rep("cc", 64) + rep("dd", 32)},
		{&Neighbor{aRound, 9}, "02 01" + aRoundHex + "09000000"},
		{&CatchUpRequest{aRound}, "03" + aRoundHex},
		{&CatchUp{aRound, two, two[:1], bTarget}, "04 0200000000000000 0300000000000000" + "08" + aVoteHex + bVoteHex + "04" + aVoteHex + bTargetHex},
	} {
		want := unhex(tc.want)
		got := AppendMessage(nil, tc.m)
		if !bytes.Equal(got, want) {
			t.Errorf("%T is\n%x, want\n%x", tc.m, got, want)
		}
		back, err := DecodeMessage(want)
		if err != nil {
			t.Errorf("%T: %v", tc.m, err)
		} else if again := AppendMessage(nil, back); !bytes.Equal(again, want) {
			t.Errorf("%T comes back as\n%x, want\n%x", tc.m, again, want)
		}
		for n := range want {
			if _, err := DecodeMessage(want[:n]); err == nil {
				t.Errorf("%T: the first %d of %d bytes decode", tc.m, n, len(want))
			}
		}
	}
}

func TestLayouts(t *testing.T) {
	auths := []Authority{{fill[[32]byte](0xaa), 1}, {fill[[32]byte](0xbb), 513}}
	header := types.Header{ParentHash: fill[types.Hash](0x33), Number: 6}
	headerHex := rep("33", 32) + "18" + rep("00", 64) + "00"
	for _, tc := range []struct {
		name string
		v    scale.Marshaler
		back scale.Unmarshaler
		want string
	}{
		{"justification", Justification{3, bTarget, []SignedVote{aVote, bVote}, []types.Header{header}}, new(Justification),
			"0300000000000000" + bTargetHex + "08" + aVoteHex + bVoteHex + "04" + headerHex},
		{"justification without ancestry", Justification{3, bTarget, []SignedVote{bVote}, nil}, new(Justification),
			"0300000000000000" + bTargetHex + "04" + bVoteHex + "00"},
		{"scheduled change", ScheduledChange(auths, 0), new(Log), "01" + authsHex + "00000000"},
		{"forced change", Log{Kind: LogForcedChange, MedianFinalized: 8, Change: Change{auths, 2}}, new(Log), "02 08000000" + authsHex + "02000000"},
		{"on disabled", Log{Kind: LogOnDisabled, Disabled: 7}, new(Log), "03 0700000000000000"},
		{"pause", Log{Kind: LogPause, Delay: 7}, new(Log), "04 07000000"},
		{"resume", Log{Kind: LogResume, Delay: 7}, new(Log), "05 07000000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := unhex(tc.want)
			if got := scale.Encode(tc.v); !bytes.Equal(got, want) {
				t.Fatalf("encoded\n%x, want\n%x", got, want)
			}
			if err := scale.Decode(want, tc.back); err != nil {
				t.Fatal(err)
			}
			if again := scale.Encode(tc.back.(scale.Marshaler)); !bytes.Equal(again, want) {
				t.Errorf("comes back as\n%x, want\n%x", again, want)
			}
			for n := range want {
				if scale.Decode(want[:n], tc.back) == nil {
					t.Fatalf("the first %d of %d bytes decode", n, len(want))
				}
			}
		})
	}
	if got := AppendAuthorities(nil, auths); !bytes.Equal(got, unhex(authsHex)) {
		t.Errorf("authorities\n%x", got)
	}
}

func TestReadLogs(t *testing.T) {
	auths := []Authority{{fill[[32]byte](0xaa), 1}}
	change := ScheduledChange(auths, 0).Item()
	other := types.Consensus(types.EngineBABE, []byte{1})
	for _, tc := range []struct {
		name string
		d    types.Digest
		want bool
		ok   bool
	}{
		{"nothing", nil, false, true},
		{"other engines", types.Digest{other}, false, true},
		{"a change", types.Digest{other, change}, true, true},
		{"a change and a note", types.Digest{change, Log{Kind: LogOnDisabled}.Item()}, true, true},
		{"two changes", types.Digest{change, change}, false, false},
		{"a forced change", types.Digest{Log{Kind: LogForcedChange, Change: Change{Next: auths}}.Item()}, false, false},
		{"garbage", types.Digest{types.Consensus(types.EngineGRANDPA, []byte{9})}, false, false},
		{"pre-runtime item of the engine", types.Digest{types.PreRuntime(types.EngineGRANDPA, []byte{9})}, false, true},
	} {
		c, err := ReadLogs(tc.d)
		if (err == nil) != tc.ok || (c != nil) != tc.want {
			t.Errorf("%s: %v, %v", tc.name, c, err)
		}
		if c != nil && (len(c.Next) != 1 || c.Next[0] != auths[0]) {
			t.Errorf("%s: changes to %v", tc.name, c.Next)
		}
	}
}

func TestDecodersRefuse(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":                     "",
		"unknown tag":                 "05",
		"stage 3":                     "00" + aRoundHex + "03" + aVoteHex,
		"neighbor version 2":          "02 02" + aRoundHex + "09000000",
		"trailing byte":               "03" + aRoundHex + "00",
		"precommits without voters":   "01" + aRoundHex + bTargetHex + "04" + aTargetHex + "00",
		"more votes than bytes":       "04 0200000000000000 0300000000000000 fe ff ff ff",
		"voters without precommits":   "01" + aRoundHex + bTargetHex + "00 04" + rep("aa", 96),
		"votes that are not compact":  "04 0200000000000000 0300000000000000 01 00",
		"length of more than 64 bits": "04 0200000000000000 0300000000000000 33" + rep("ff", 16),
	} {
		if m, err := DecodeMessage(unhex(data)); err == nil {
			t.Errorf("%s: decoded to %+v", name, m)
		}
	}
	if _, err := DecodeMessage(make([]byte, MaxMessageBytes+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a long message: %v", err)
	}
	many := scale.AppendCompact(bTarget.AppendSCALE(make([]byte, 8)), MaxAuthorities+1)
	many = append(many, make([]byte, (MaxAuthorities+1)*signedVoteSize+1)...)
	if err := scale.Decode(many, new(Justification)); err == nil || !strings.Contains(err.Error(), "votes; at most") {
		t.Errorf("too many votes: %v", err)
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range []Message{
		&VoteMessage{aRound, Prevote, aVote}, &CommitMessage{aRound, bTarget, []SignedVote{aVote}},
		&Neighbor{aRound, 9}, &CatchUpRequest{aRound}, &CatchUp{aRound, []SignedVote{aVote}, nil, bTarget},
	} {
		f.Add(AppendMessage(nil, m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMessage(data)
		if err != nil {
			return
		}
		if got := AppendMessage(nil, m); !bytes.Equal(got, data) {
			t.Errorf("%x decodes to %+v, which encodes to %x", data, m, got)
		}
	})
}

func FuzzJustification(f *testing.F) {
	ks := keys(4)
	tr := newTree()
	b, t1 := target(tr.base), target(tr.trunk[0])
	f.Add(scale.Encode(justify(ks, Round{0, 1}, b, []Target{b, t1, b}, tr.trunk[0])))
	f.Add(scale.Encode(justify(ks, Round{0, 1}, b, []Target{b, b, b})))
	v := voters(f, 0, ks)
	f.Fuzz(func(t *testing.T, data []byte) {
		var j Justification
		if scale.Decode(data, &j) != nil {
			return
		}
		if got := scale.Encode(j); !bytes.Equal(got, data) {
			t.Errorf("%x encodes to %x", data, got)
		}
		// Nobody but the four signs: what is valid is for the block that they signed.
		if v.Verify(&j, nil) == nil && j.Target != b {
			t.Errorf("a forged justification of block %d", j.Target.Number)
		}
	})
}

func FuzzLog(f *testing.F) {
	f.Add(scale.Encode(ScheduledChange([]Authority{{Weight: 1}}, 0)))
	f.Add(scale.Encode(Log{Kind: LogForcedChange}))
	f.Add(scale.Encode(Log{Kind: LogPause, Delay: 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l Log
		if scale.Decode(data, &l) != nil {
			return
		}
		if got := scale.Encode(l); !bytes.Equal(got, data) {
			t.Errorf("%x encodes to %x", data, got)
		}
	})
}
