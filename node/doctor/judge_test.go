package doctor

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/client/metadata"
)

// healthy are facts of which nothing is wrong.
func healthy() *Facts {
	now := time.Unix(1_800_000_000, 0)
	return &Facts{
		Now: now,
		Node: &NodeFacts{URL: "ws://n", Chain: "Net", Kind: "Local", Version: "1", Authority: true, Peers: 5, WantsPeers: true, Best: 1000, Final: 998, Target: 1000,
			BestTime: now.Add(-time.Second), Slot: 6 * time.Second, Format: metadata.Format{Symbol: "CRU", Decimals: 12}},
		Folders: []Folder{{Path: "/base", Free: 100 << 30}, {Path: "/disk", Disk: true, Free: 100 << 30, Reserve: 1 << 30}},
		Secrets: []Secret{{"/base/node.key", 0o600}},
		Ports:   []Port{{Number: 1, What: "of x"}},
		Accounts: []Account{{Role: StorageNode, Address: "cA", Free: big.NewInt(1_000_000), Deposit: big.NewInt(100),
			Fee: big.NewInt(1000)}},
		Storage: &StorageFacts{URL: "http://s", Target: 10, Complete: 10, Proven: 10, Free: 5, Best: 1000},
		Worker: &WorkerFacts{Account: "cA", Registered: true, Group: "cO", Reported: 900, Slot: 900, SlotBlocks: 100, Took: 40, Number: 1000,
			Endpoint: []string{"/ip4/1.2.3.4/tcp/1/p2p/x"}, Dialled: 1, Reachable: []string{"/ip4/1.2.3.4/tcp/1/p2p/x"}},
		Gateway:   &GatewayFacts{URL: "http://g", Chain: "Net"},
		Validator: &ValidatorFacts{Stash: "cS", Candidate: true, Elected: true, Validating: true, Keys: true, NodeSays: true, NodeHas: true, Limit: true, Effective: true},
	}
}

func TestJudgeHealthy(t *testing.T) {
	for _, f := range Judge(healthy()) {
		if f.Level != OK || f.Do != "" {
			t.Errorf("%+v", f)
		}
	}
	if all := Judge(&Facts{}); len(all) != 0 {
		t.Errorf("nothing was looked at, and found: %v", all)
	}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(f *Facts)
		check  string
		level  Level
		do     string // part of
	}{
		"no node":              {func(f *Facts) { *f = Facts{Node: &NodeFacts{Error: "refused"}} }, "node", Fail, "--url"},
		"import halted":        {func(f *Facts) { f.Node.Halted = "block 7" }, "node", Fail, "keep its data"},
		"no peers":             {func(f *Facts) { f.Node.Peers = 0 }, "peers", Fail, "--bootnodes"},
		"few peers":            {func(f *Facts) { f.Node.Peers = 2 }, "peers", Warn, "port"},
		"behind":               {func(f *Facts) { f.Node.Syncing, f.Node.Target = true, 9000 }, "sync", Warn, "wait"},
		"finality lags":        {func(f *Facts) { f.Node.Final = 980 }, "finality", Warn, "two thirds"},
		"finality stands":      {func(f *Facts) { f.Node.Final = 900 }, "finality", Fail, "two thirds"},
		"clock behind":         {func(f *Facts) { f.Node.BestTime = f.Now.Add(3 * time.Second) }, "clock", Fail, "chrony"},
		"blocks late":          {func(f *Facts) { f.Node.BestTime = f.Now.Add(-31 * time.Second) }, "clock", Warn, "again"},
		"no blocks":            {func(f *Facts) { f.Node.BestTime = f.Now.Add(-121 * time.Second) }, "clock", Fail, "this machine's time"},
		"port taken":           {func(f *Facts) { f.Ports[0].Error = "in use" }, "port", Fail, "another port"},
		"base path missing":    {func(f *Facts) { f.Folders[0].Error = "no such file" }, "base path", Fail, "create"},
		"base path filling":    {func(f *Facts) { f.Folders[0].Free = 5<<30 - 1 }, "base path", Warn, "room"},
		"base path full":       {func(f *Facts) { f.Folders[0].Free = 1<<30 - 1 }, "base path", Fail, "room"},
		"disk away":            {func(f *Facts) { f.Folders[1].Error = "no such file" }, "disk", Fail, "mount"},
		"disk failed":          {func(f *Facts) { f.Folders[1].Failed = "input/output error" }, "disk", Fail, "replace"},
		"disk full":            {func(f *Facts) { f.Folders[1].Free = 1 << 30 }, "disk", Warn, "--disk"},
		"key open":             {func(f *Facts) { f.Secrets[0].Mode = 0o640 }, "key", Fail, "chmod 600 /base/node.key"},
		"no money":             {func(f *Facts) { f.Accounts[0].Free = big.NewInt(10_099) }, "balance", Fail, "send"},
		"little money":         {func(f *Facts) { f.Accounts[0].Free = big.NewInt(100_099) }, "balance", Warn, "send"},
		"deposit only, no fee": {func(f *Facts) { f.Accounts[0].Free, f.Accounts[0].Fee = big.NewInt(100), nil }, "balance", Fail, "send"},
		"account unknown":      {func(f *Facts) { f.Accounts[0] = Account{Role: Gateway, Error: "not known"} }, "balance", Warn, "--account"},
		"storage is not up":    {func(f *Facts) { f.Storage.Error = "refused" }, "storage node", Fail, "crust storage"},
		"storage has trouble":  {func(f *Facts) { f.Storage.Trouble = "no fee" }, "storage node", Warn, "log"},
		"storage lags":         {func(f *Facts) { f.Storage.Best = 979 }, "storage node", Warn, "--node-url"},
		"dev enclave, live":    {func(f *Facts) { f.Node.Kind = "Live" }, "enclave", Fail, "hardware"},
		"cannot fill":          {func(f *Facts) { f.Storage.Complete, f.Storage.Free = 5, 0 }, "free space", Warn, "--srd"},
		"no such chain":        {func(f *Facts) { f.Worker.Error = "no storage nodes" }, "registration", Fail, "--url"},
		"not registered":       {func(f *Facts) { f.Worker.Registered = false }, "registration", Fail, "start"},
		"suspended":            {func(f *Facts) { f.Worker.Failed = true }, "audits", Fail, "--replace"},
		"audit waits":          {func(f *Facts) { f.Worker.Audit = 900 }, "audits", Warn, "running"},
		"no group":             {func(f *Facts) { f.Worker.Group = "" }, "group", Warn, "group allow"},
		"no endpoint":          {func(f *Facts) { f.Worker.Endpoint = nil }, "endpoint", Warn, "--public-addr"},
		"endpoint shut":        {func(f *Facts) { f.Worker.Reachable = nil }, "endpoint", Warn, "port"},
		"no report yet":        {func(f *Facts) { f.Worker.Reported = 0 }, "report", Warn, "wait"},
		"report late":          {func(f *Facts) { f.Worker.Reported, f.Worker.Number = 800, 941 }, "report", Warn, "log"},
		"reports missed":       {func(f *Facts) { f.Worker.Reported = 700 }, "report", Fail, "runs"},
		"missed, says chain":   {func(f *Facts) { f.Worker.Reported, f.Worker.Missed, f.Worker.Number = 800, 1, 901 }, "report", Fail, "runs"},
		"gateway is not up":    {func(f *Facts) { f.Gateway.Error = "refused" }, "gateway", Fail, "crust gateway"},
		"gateway of another":   {func(f *Facts) { f.Gateway.Chain = "Other" }, "gateway", Warn, "--node-url"},
		"no such bond":         {func(f *Facts) { f.Validator.Error = "nothing bonded" }, "validator", Fail, "bond"},
		"node is no validator": {func(f *Facts) { f.Node.Authority = false }, "validator", Fail, "--validator"},
		"no session keys":      {func(f *Facts) { f.Validator.Keys = false }, "session keys", Fail, "set-keys"},
		"keys elsewhere":       {func(f *Facts) { f.Validator.NodeHas = false }, "session keys", Fail, "--url"},
		"keys not told":        {func(f *Facts) { f.Validator.NodeSays = false }, "session keys", Warn, "unsafe"},
		"not a candidate":      {func(f *Facts) { f.Validator.Candidate, f.Validator.Validating = false, false }, "election", Fail, "validator validate"},
		"chilled":              {func(f *Facts) { f.Validator.Candidate = false }, "election", Warn, "again"},
		"no limit":             {func(f *Facts) { f.Validator.Limit = false }, "election", Fail, "storage nodes"},
		"no stake":             {func(f *Facts) { f.Validator.Effective = false }, "election", Fail, "bond-more"},
		"not elected":          {func(f *Facts) { f.Validator.Elected = false }, "election", Warn, "stake"},
		"guarantor":            {func(f *Facts) { f.Validator.GuaranteesForOthers = true }, "election", Fail, "cut"},
		"slashed":              {func(f *Facts) { f.Validator.Slashes = 1 }, "slashes", Fail, "status"},
		"rewards":              {func(f *Facts) { f.Validator.Payable = 2 }, "rewards", Warn, "payout"},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			c.damage(f)
			var bad []string
			for _, x := range Judge(f) {
				if x.Level == OK {
					continue
				}
				if bad = append(bad, fmt.Sprintf("%+v", x)); x.Check != c.check || x.Level != c.level || !strings.Contains(x.Do, c.do) || x.Found == "" {
					t.Errorf("%+v", x)
				}
			}
			if len(bad) != 1 {
				t.Errorf("found %q", bad)
			}
		})
	}
}

// TestJudgeEdges holds bounds from the side on which all is well.
func TestJudgeEdges(t *testing.T) {
	f := healthy()
	f.Node.Final, f.Node.BestTime = 981, f.Now.Add(2*time.Second)
	f.Accounts[0].Free = big.NewInt(100_100)
	f.Folders[0].Free, f.Folders[1].Free = 5<<30, 1<<30+1
	f.Worker.Reported, f.Worker.Number = 800, 940 // the deadline's last block
	for _, x := range Judge(f) {
		if x.Level != OK {
			t.Errorf("%+v", x)
		}
	}
	f.Node.BestTime = f.Now.Add(-time.Hour)
	f.Node.Syncing, f.Node.Final = true, 1
	for _, x := range Judge(f) {
		if x.Level != OK && x.Check != "sync" {
			t.Errorf("while it syncs, %+v", x)
		}
	}
}
