# Crust. "make build" makes bin/crust; "make test" is what a change must pass.
VERSION ?= 0.1.0-dev
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
SEED    ?= 1
COUNT   ?= 1
STEP    := bin/testsum step
# One set of flags for the program, the tests and the linters, so that every package is compiled once.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath
# The race detector has something to find where goroutines meet. Tests of processes and the simulator, which is one thread, have none of it.
# What takes longest comes first.
RACE = ./test/shell $$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Imports}} {{.TestImports}} {{end}}' ./... | \
        grep -E '[[ ](sync|sync/atomic|golang.org/x/sync/errgroup|[^ ]*/lifecycle)[] ]' | cut -d' ' -f1 | grep -vE '/(internal|test)/')
# Suites of the light client.
LIGHT  := network elections smoldot
OTHERS  = $(filter-out $(LIGHT:=.test.mjs),$(notdir $(wildcard test/interop/*.test.mjs)))
# Long histories on one thread, a third of all that it would run.
ONE_THREAD = '^Test(AgainstModel|CrashAtEveryWrite|DeepBacklog|SameChain|ServeBlocksLimit|Chain(Import|Export|Verify).*)$$'

.PHONY: build demo dev test units-and-more side-by-side computing waiting beside others test-short test-full lint gofmt tidy vet staticcheck units race-ahead race fuzz oracle interop \
        interop-light interop-js interop-ipfs interop-pinning kubo gsrpc roots long fuzz-long bench benchstat peers weights weights-check generate testsum clean

# Whoever starts the program while it is built gets the old one or the new one.
build: ; go build -ldflags '$(LDFLAGS)' -o bin/crust.$$$$ ./cmd/crust && mv -f bin/crust.$$$$ bin/crust
# The whole product on this machine, unattended.
demo: build ; bin/crust demo $(DEMO_FLAGS)
dev: build ; bin/crust node --dev $(DEV_FLAGS)

# What a change must pass: at most 20 minutes on two cores.
test: gofmt tidy vet units-and-more side-by-side
# Tests of processes wait for each other at the end of the units: time to compile what the detector needs.
units-and-more: ; $(MAKE) -j2 units race-ahead
# Staticcheck, the detector and the fuzzers need both cores, outside clients wait for blocks: beside each other they take half the time. The
# clients come first: smoldot panics when what it holds becomes final before it has had a processor, so it also comes before other clients,
# which wait beside each other.
side-by-side: ; $(MAKE) -j2 computing waiting
computing: ; nice -n 19 $(MAKE) -j1 staticcheck race fuzz
waiting: ; $(MAKE) -j1 interop-light beside
beside: ; $(MAKE) -j2 interop-js others
others: ; $(MAKE) -j1 interop-ipfs gsrpc roots oracle
# While working: pure Go, no peers, no processes; less than 3 minutes.
test-short: ; timeout 3m go test -short -timeout 150s ./...
# The long runs, tests named TestLong…, and more fuzzing: at most 45 minutes.
test-full: long fuzz-long

lint: gofmt tidy vet staticcheck
gofmt: testsum
	$(STEP) -timeout 1m gofmt -- sh -c 'test -z "$$(git ls-files -co --exclude-standard "*.go" | xargs -r gofmt -l | tee /dev/stderr)"'
tidy: testsum ; $(STEP) -timeout 1m mod-tidy -- go mod tidy -diff
vet: testsum ; $(STEP) -timeout 9m vet -- go vet ./...
staticcheck: testsum ; $(STEP) -timeout 9m staticcheck -- go tool -modfile=internal/tools/go.mod staticcheck ./...
# Tests of processes wait as well: four packages at a time. What go test would vet has been vetted by then.
units: testsum ; $(STEP) -kind go -timeout 20m units -- go test -json -vet=off -p 4 -timeout 10m ./...
race-ahead: testsum
	nice -n 19 $(STEP) -timeout 20m race-ahead -- env CGO_ENABLED=1 go build -race $$(go list -deps -test -f '{{if and (ne .Name "main") (not .ForTest)}}{{.ImportPath}}{{end}}' $(RACE))
race: testsum ; $(STEP) -kind go -timeout 22m race -- env CGO_ENABLED=1 go test -json -vet=off -race -short -skip $(ONE_THREAD) -timeout 12m $(RACE)
fuzz: testsum ; $(STEP) -timeout 8m fuzz -- go run ./internal/cmd/fuzz -budget 60s
long: testsum ; $(STEP) -kind go -timeout 40m long -- env CRUST_LONG=1 SEED=$(SEED) go test -json -vet=off -run '^TestLong' -timeout 38m ./...
fuzz-long: testsum ; $(STEP) -timeout 10m fuzz-long -- go run ./internal/cmd/fuzz -budget 5m

# Attestation that Intel signed, and the verifiers of others beside ours.
oracle: testsum ; $(STEP) -kind go -timeout 6m -dir test/oracle oracle -- go test -json -timeout 3m ./...

# The real binary, judged by independent clients.
interop: interop-light interop-js interop-ipfs gsrpc roots
interop-light: build testsum test/interop/node_modules
	$(STEP) -kind node -timeout 10m -dir test/interop interop-light -- node --test --test-concurrency=1 --test-reporter=tap $(LIGHT:=.test.mjs)
interop-js: build testsum test/interop/node_modules
	$(STEP) -kind node -timeout 10m -dir test/interop interop-js -- node --test --test-concurrency=2 --test-reporter=tap $(OTHERS)
# kubo, built from the Go registry, and helia on the Node.js that it needs.
interop-ipfs: build kubo testsum test/interop/ipfs/node_modules
	$(STEP) -kind node -timeout 8m -dir test/interop/ipfs interop-ipfs -- node --test --test-concurrency=1 --test-reporter=tap hashes.test.mjs storage.test.mjs
kubo: testsum ; $(STEP) -timeout 15m -dir test/interop/kubo kubo -- go build -ldflags '-s -w' -o ../../../out/kubo/ipfs github.com/ipfs/kubo/cmd/ipfs
# The pinning service's compliance suite, by command: it takes the specification from GitHub, or from PSA_SPEC.
interop-pinning: build testsum
	npm ci --prefix test/interop/pinning --ignore-scripts
	$(STEP) -kind node -timeout 6m -dir test/interop/pinning interop-pinning -- node --test --test-reporter=tap compliance.test.mjs
gsrpc: build testsum ; $(STEP) -kind go -timeout 4m -dir test/interop/gsrpc gsrpc -- go test -json -timeout 3m ./...
roots: testsum ; $(STEP) -kind go -timeout 4m -dir test/genesisroots genesis-roots -- go test -json -timeout 3m ./...
test/interop/node_modules: test/interop/package-lock.json
	npm ci --prefix test/interop --ignore-scripts && touch $@
test/interop/ipfs/node_modules: test/interop/ipfs/package-lock.json
	npm ci --prefix test/interop/ipfs --ignore-scripts && touch $@

# Writes bench/REPORT.md, beside the programs of others: about 40 minutes. BENCH_FLAGS="-only state-10m" measures one section; -list names them.
bench: build peers ; go run ./bench/report $(BENCH_FLAGS)
# The benchmarks of package bench, for benchstat: "make benchstat COUNT=10 >new.txt" before and after a change.
benchstat: build ; go test -run '^$$' -bench . -benchmem -count=$(COUNT) -timeout 60m ./bench
# go-ethereum, cosmos-sdk and CometBFT, as programs that the report runs in turns with ours.
peers: testsum ; $(STEP) -timeout 20m -dir bench/peers peers -- go build -o ../../out/peers/ ./geth ./cosmos ./comet
weights: ; go generate -run weights ./...
weights-check: ; go run ./internal/cmd/weights -check
generate: ; go generate -skip weights ./...
testsum: ; @go build -o bin/testsum.$$$$ ./internal/cmd/testsum && mv -f bin/testsum.$$$$ bin/testsum
clean: ; rm -rf bin out
