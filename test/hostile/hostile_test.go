package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/crustgo/crust/client/jsonrpc"
)

// maxPeak is how much memory the node may take during an attack, in MiB.
const maxPeak = 1024

func TestHostileClients(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a process")
	}
	p := start(t)
	good, err := jsonrpc.Dial(t.Context(), p.url, jsonrpc.Config{ReconnectWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	for _, a := range []struct {
		name string
		run  func(*testing.T, *process)
	}{
		{"broken messages", brokenMessages},
		{"odd parameters", oddParameters},
		{"huge messages", hugeMessages},
		{"many subscriptions", manySubscriptions},
		{"too many connections", tooManyConnections},
		{"silent connections", silentConnections},
		{"pinned blocks", pinnedBlocks},
		{"unread answers", unreadAnswers},
		{"unread answers and huge requests", unreadAnswersHugeRequests},
	} {
		t.Run(a.name, func(t *testing.T) {
			before := p.goroutines(t)
			p.forgetPeak(t)
			stop := watch(t, good)
			a.run(t, p)
			slowest := stop()
			p.settle(t, before)
			peak := p.peak(t)
			t.Logf("slowest answer to the good client %v, peak memory %d MiB", slowest, peak)
			if peak > maxPeak {
				t.Errorf("the node took %d MiB", peak)
			}
		})
	}
}

// watch lets a good client ask all the time, until stop, which returns the
// longest wait.
func watch(t *testing.T, good *jsonrpc.Client) (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	var slowest time.Duration
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			limit, done := context.WithTimeout(t.Context(), 10*time.Second)
			err := good.Call(limit, "chain_getHeader", nil, nil)
			done()
			slowest = max(slowest, time.Since(began))
			if err != nil {
				t.Errorf("the good client: %v", err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() time.Duration {
		cancel()
		asking.Wait()
		return slowest
	}
}

// attacker is a client without manners.
type attacker struct {
	t  *testing.T
	ws *websocket.Conn
}

func (p *process) attack(t *testing.T) *attacker {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &attacker{t, ws}
}

// send reports whether the node still listens.
func (a *attacker) send(msg string) bool { return a.sendWithin(msg, patience) }

// push is send where the node is expected to stop reading.
func (a *attacker) push(msg string) bool { return a.sendWithin(msg, 2*time.Second) }

func (a *attacker) sendWithin(msg string, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(a.t.Context(), limit)
	defer cancel()
	return a.ws.Write(ctx, websocket.MessageText, []byte(msg)) == nil
}

// answer returns the next message, or nothing if the connection has ended.
func (a *attacker) answer() string {
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	_, b, err := a.ws.Read(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.t.Errorf("no answer")
	}
	return string(b)
}

func request(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
}

// brokenMessages must be answered with an error each.
func brokenMessages(t *testing.T, p *process) {
	a := p.attack(t)
	for name, msg := range map[string]string{
		"empty": "", "no JSON": "hello", "half an object": `{"jsonrpc":"2.0","id":1`, "bad UTF-8": "{\"jsonrpc\":\"\xff\xfe\"}", "NUL": "\x00\x00\x00",
		"deep array": strings.Repeat("[", 1<<20), "deep object": strings.Repeat(`{"a":`, 1<<18), "deep parameters": request("system_name", strings.Repeat("[", 1<<18)+strings.Repeat("]", 1<<18)),
		"empty batch": "[]", "batch of nothing": "[" + strings.Repeat("1,", 900) + "1]", "long batch": "[" + strings.Repeat(request("system_name", "[]")+",", 5000) + "1]",
		"long method": request(strings.Repeat("x", 1<<20), "[]"), "long number": request("chain_getBlockHash", "["+strings.Repeat("9", 1<<20)+"]"),
		"huge id": `{"jsonrpc":"2.0","id":` + strings.Repeat("9", 1<<20) + `,"method":"nothing"}`,
	} {
		if !a.send(msg) {
			t.Fatalf("%s: the connection was closed", name)
		}
		if got := a.answer(); !strings.Contains(got, `"error"`) {
			t.Errorf("%s: %.200q", name, got)
		}
	}
	b := p.attack(t)
	b.send(strings.Repeat(" ", 16<<20))
	if got := b.answer(); got != "" {
		t.Errorf("a message beyond the limit: %.200q", got)
	}
}

// oddParameters must be refused.
func oddParameters(t *testing.T, p *process) {
	a := p.attack(t)
	big := `"0x` + strings.Repeat("ff", 4<<20) + `"`
	many := "[" + strings.Repeat(`"0x26aa394eea5630e07c48ae0c9558cef7",`, 20000) + `"0x"]`
	zeros := `"0x` + strings.Repeat("00", 32) + `"`
	for _, c := range [][2]string{
		{"author_submitExtrinsic", big}, {"author_submitExtrinsic", `"0x"`}, {"author_submitExtrinsic", `"0xzz"`}, {"author_submitExtrinsic", `"0x0"`},
		{"author_submitExtrinsic", `"0x03ffffffffff"`}, {"author_submitExtrinsic", `"0x280403000b"`}, {"author_submitExtrinsic", "null"},
		{"state_call", `"Core_version","0x00",` + zeros}, {"state_call", `"Nothing_here","0x"`}, {"state_call", `"BlockBuilder_apply_extrinsic",` + big},
		{"state_call", `"Core_execute_block","0xffffffffffffffffffffffff"`}, {"state_call", `"TaggedTransactionQueue_validate_transaction",` + big},
		{"state_call", `"TransactionPaymentApi_query_info","0x03ffffffff"`}, {"state_call", `"Metadata_metadata_at_version","0x"`},
		{"state_call", `"AccountNonceApi_account_nonce","0x01"`}, {"state_call", `"GenesisBuilder_build_state",` + big},
		{"state_getKeysPaged", `"0x",4294967295`}, {"state_getKeysPaged", `"0x",-1`}, {"state_getKeysPaged", `"0x",1e400`}, {"state_getKeysPaged", `"0x",10,"0x",` + zeros},
		{"state_queryStorageAt", many}, {"state_getReadProof", many}, {"state_queryStorage", `[],` + zeros}, {"state_getPairs", `"0x"`},
		{"chain_getBlockHash", many}, {"chain_getBlock", `"0x00"`}, {"chain_getHeader", big}, {"payment_queryInfo", big}, {"payment_queryInfo", `"0x00"`},
		{"chainHead_v1_follow", ""}, {"transaction_v1_broadcast", `"0xzz"`}, {"transaction_v1_stop", `"nobody"`}, {"system_accountNextIndex", `"` + strings.Repeat("1", 1<<20) + `"`},
		{"author_rotateKeys", ""}, {"system_dryRun", big}, {"grandpa_proveFinality", "4294967295"},
	} {
		if !a.send(request(c[0], "["+c[1]+"]")) {
			t.Fatalf("%s: the connection was closed", c[0])
		}
		if got := a.answer(); !strings.Contains(got, `"error"`) {
			t.Errorf("%s(%.40s): %.200q", c[0], c[1], got)
		}
	}
}

// hugeMessages come in from many sides at once, and do not end.
func hugeMessages(t *testing.T, p *process) {
	chunk := []byte(strings.Repeat("[", 1<<20))
	var all sync.WaitGroup
	for range 40 {
		ws := p.attack(t).ws
		all.Go(func() {
			w, err := ws.Writer(t.Context(), websocket.MessageText)
			for range 14 {
				if err != nil {
					break // the node has had enough
				}
				_, err = w.Write(chunk)
			}
			_ = ws.CloseNow()
		})
	}
	all.Wait()
}

// manySubscriptions meet a limit, and end with the connection.
func manySubscriptions(t *testing.T, p *process) {
	for range 3 {
		a := p.attack(t)
		batch := "[" + strings.Repeat(request("chain_subscribeNewHeads", "[]")+",", 499) + request("state_subscribeStorage", `[["0x26aa394eea5630e07c48ae0c9558cef7"]]`) + "]"
		refused := false
		for range 3 {
			a.send(batch)
			for {
				msg := a.answer()
				if msg == "" || strings.HasPrefix(msg, "[") {
					refused = refused || strings.Contains(msg, "Too many subscriptions")
					break
				}
			}
		}
		if !refused {
			t.Error("1500 subscriptions on a connection")
		}
		_ = a.ws.CloseNow()
	}
}

// tooManyConnections: those beyond the limit are turned away.
func tooManyConnections(t *testing.T, p *process) {
	refused := 0
	for range 150 {
		ws, _, err := websocket.Dial(t.Context(), p.url, nil)
		if err != nil {
			refused++
			continue
		}
		defer func() { _ = ws.CloseNow() }()
	}
	if refused < 50 {
		t.Errorf("only %d of 150 were refused", refused)
	}
}

// silentConnections say half a sentence.
func silentConnections(t *testing.T, p *process) {
	for i := range 60 {
		c, err := net.Dial("tcp", p.host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, []string{"", "POST / HTTP/1.1\r\nHost: localhost\r\n", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15000000\r\n\r\n[", "\x16\x03\x01\x02\x00"}[i%4])
	}
}

// pinnedBlocks are never released, and asked for without end.
func pinnedBlocks(t *testing.T, p *process) {
	a := p.attack(t)
	var id string
	for i := range 5 {
		a.send(request("chainHead_v1_follow", "[true]"))
		var got struct {
			Result string
			Method string
			Error  *jsonrpc.Error
		}
		for first := true; first || got.Method != ""; first = false {
			got.Method = ""
			if err := json.Unmarshal([]byte(a.answer()), &got); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			id = got.Result
		}
		if i == 4 && got.Error == nil {
			t.Error("five chainHead subscriptions on a connection")
		}
	}
	var hash string
	if err := json.Unmarshal([]byte(a.ask("chain_getFinalizedHead", "[]")), &hash); err != nil {
		t.Fatal(err)
	}
	item := `{"key":"0x","type":"descendantsValues"}`
	full := false
	for range 100 {
		got := a.ask("chainHead_v1_storage", fmt.Sprintf(`["%s","%s",[%s%s],null]`, id, hash, strings.Repeat(item+",", 200), item))
		full = full || strings.Contains(got, "limitReached")
	}
	if !full {
		t.Error("100 operations at a time")
	}
	_ = a.ws.CloseNow()
}

// ask returns the result or error of a call; notifications are skipped.
func (a *attacker) ask(method, params string) string {
	a.send(request(method, params))
	for {
		text := a.answer()
		var got struct {
			ID            *int
			Result, Error json.RawMessage
		}
		if json.Unmarshal([]byte(text), &got) != nil || got.ID != nil {
			return string(got.Result) + string(got.Error)
		}
	}
}

// unreadAnswers pile up until the node has had enough.
func unreadAnswers(t *testing.T, p *process) {
	batch := "[" + strings.Repeat(request("state_getMetadata", "[]")+",", 19) + request("state_getMetadata", "[]") + "]"
	var all sync.WaitGroup
	for range 30 {
		a := p.attack(t)
		all.Go(func() {
			for range 50 {
				if !a.push(batch) {
					break
				}
			}
			_ = a.ws.CloseNow()
		})
	}
	all.Wait()
}

// unreadAnswersHugeRequests first makes all workers of a connection wait, then
// sends as much as the node takes.
func unreadAnswersHugeRequests(t *testing.T, p *process) {
	batch := "[" + strings.Repeat(request("state_getMetadata", "[]")+",", 19) + request("state_getMetadata", "[]") + "]"
	huge := request("system_name", `["`+strings.Repeat("x", 14<<20)+`"]`)
	var all sync.WaitGroup
	for range 2 {
		a := p.attack(t)
		all.Go(func() {
			for range 50 {
				a.push(batch)
			}
			taken := 0
			for taken < 100 && a.push(huge) {
				taken++
			}
			t.Logf("%d huge requests taken", taken)
			_ = a.ws.CloseNow()
		})
	}
	all.Wait()
}
