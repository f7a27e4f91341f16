package storage

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/node/httpd"
)

// ports are the two ports of a storage node.
type ports struct {
	api, metrics net.Listener
}

// answerTimeout is how long a request, and its answer, may take.
const answerTimeout = time.Minute

func listen(cfg *Config) (p ports, err error) {
	if p.api, err = httpd.Listen(httpd.Local(cfg.APIPort), "the storage node's interface", "--api-port"); err != nil {
		return p, err
	}
	if p.metrics, err = httpd.Listen(httpd.Local(cfg.PrometheusPort), "metrics", "--prometheus-port"); err != nil {
		err = errors.Join(err, p.api.Close())
	}
	return p, err
}

// Answers of the interface.
type (
	healthJSON struct {
		Registered bool   `json:"registered"`
		Error      string `json:"error,omitempty"` // of the latest block
	}
	workloadJSON struct {
		Worker   string          `json:"worker"` // lineage
		Account  string          `json:"account"`
		Filler   spaceJSON       `json:"filler"`
		Data     spaceJSON       `json:"data"`
		Leaving  uint64          `json:"leavingBytes"` // of units that are deleted soon
		Free     uint64          `json:"freeBytes"`
		Files    int             `json:"files"`
		FileSize uint64          `json:"filesBytes"`
		Chain    reporter.Status `json:"chain"`
		Counter  uint64          `json:"counter"` // of the plan in the best block
	}
	spaceJSON struct {
		Target   uint64 `json:"targetBytes,omitempty"`
		Complete uint64 `json:"completeBytes"` // on disk
		Proven   uint64 `json:"provenBytes"`   // in the plan that is final
		Chain    uint64 `json:"chainBytes"`    // in the plan of the best block
	}
	unitJSON struct {
		Number uint64 `json:"number"`
		ID     string `json:"id"`
		Kind   string `json:"kind"`
		Disk   string `json:"disk"`
		Bytes  uint64 `json:"bytes"`
		State  string `json:"state"`
	}
	diskJSON struct {
		Dir   string `json:"dir"`
		ID    string `json:"id"`
		Limit uint64 `json:"limitBytes,omitempty"`
		Used  uint64 `json:"usedBytes"`
		Free  uint64 `json:"freeBytes"`
		Units int    `json:"units"`
		Error string `json:"error,omitempty"`
	}
	fileJSON struct {
		CID   string `json:"cid"` // as the market writes it
		Bytes uint64 `json:"bytes"`
		State string `json:"state"`
	}
	taskJSON struct {
		CID    string `json:"cid"`
		Limit  uint64 `json:"limitBytes"`
		Sealed uint64 `json:"sealedBytes"`
	}
)

// newAPI answers what the node has.
func newAPI(w *worker.Worker, r *reporter.Reporter) http.Handler {
	mux := http.NewServeMux()
	for path, get := range map[string]func() any{
		"/health": func() any {
			s := r.Status()
			return healthJSON{s.Registered && !s.Suspended, s.Error}
		},
		"/workload": func() any { return workload(w, r) },
		"/units": func() any {
			return list(w.Units(), func(u worker.UnitInfo) unitJSON {
				kind := [...]string{proof.Filler: "filler", proof.Data: "data"}[u.Kind]
				return unitJSON{u.Number, hex.EncodeToString(u.ID[:]), kind, u.Disk.String(), uint64(u.Leaves) * proof.LeafSize, u.State.String()}
			})
		},
		"/disks": func() any { return disks(w) },
		"/files": func() any {
			return list(w.Files(), func(f worker.FileInfo) fileJSON { return fileJSON{f.Root.String(), f.Size, f.State.String()} })
		},
		"/tasks": func() any {
			return list(w.Tasks(), func(t worker.Task) taskJSON { return taskJSON{t.Root.String(), t.Limit, t.Size} })
		},
	} {
		mux.HandleFunc("GET "+path, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(out).Encode(get()) // who asked may have gone
		})
	}
	return mux
}

// list turns every element, and nothing into an empty list rather than null.
func list[A, B any](all []A, f func(A) B) []B {
	out := make([]B, len(all))
	for i := range all {
		out[i] = f(all[i])
	}
	return out
}

func disks(w *worker.Worker) []diskJSON {
	var out []diskJSON
	for _, d := range w.Disks() {
		j := diskJSON{d.Dir, d.ID.String(), d.Limit, d.Used, d.Free, d.Units, ""}
		if d.Err != nil {
			j.Error = d.Err.Error()
		}
		out = append(out, j)
	}
	return out
}

func workload(w *worker.Worker, r *reporter.Reporter) workloadJSON {
	l, s, id := w.Workload(), r.Status(), w.Identity()
	return workloadJSON{
		Worker: hex.EncodeToString(id.Lineage[:]), Account: "0x" + hex.EncodeToString(id.Account[:]),
		Filler:  spaceJSON{l.Target, l.Filler, l.FillerProven, s.Record.Plan.Filler * proof.LeafSize},
		Data:    spaceJSON{0, l.Data, l.DataProven, s.Record.Plan.Data * proof.LeafSize},
		Leaving: l.Leaving, Free: l.Free, Files: l.Files, FileSize: l.FilesSize, Chain: s, Counter: s.Record.Counter,
	}
}

// newMetrics are the figures for Prometheus, read when it asks.
func newMetrics(w *worker.Worker, r *reporter.Reporter) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	load := func(name, help string, f func(worker.Workload) uint64) {
		gauge(name, help, func() float64 { return float64(f(w.Workload())) })
	}
	load("crust_storage_filler_target_bytes", "Free space to prove, in bytes", func(l worker.Workload) uint64 { return l.Target })
	load("crust_storage_filler_bytes", "Fillers that are complete, in bytes", func(l worker.Workload) uint64 { return l.Filler })
	load("crust_storage_filler_proven_bytes", "Fillers in the plan that is final, in bytes", func(l worker.Workload) uint64 { return l.FillerProven })
	load("crust_storage_data_bytes", "Data units that are complete, in bytes", func(l worker.Workload) uint64 { return l.Data })
	load("crust_storage_data_proven_bytes", "Data units in the plan that is final, in bytes", func(l worker.Workload) uint64 { return l.DataProven })
	load("crust_storage_free_bytes", "What the disks still take, in bytes", func(l worker.Workload) uint64 { return l.Free })
	load("crust_storage_files", "Files that are sealed", func(l worker.Workload) uint64 { return uint64(l.Files) })
	load("crust_storage_files_bytes", "Measured size of the files that are sealed", func(l worker.Workload) uint64 { return l.FilesSize })
	gauge("crust_storage_tasks", "Files that are being sealed", func() float64 { return float64(len(w.Tasks())) })
	gauge("crust_storage_disks_failed", "Disks that take no new units", func() (n float64) {
		for _, d := range w.Disks() {
			if d.Err != nil {
				n++
			}
		}
		return n
	})
	status := func(name, help string, f func(reporter.Status) float64) {
		gauge(name, help, func() float64 { return f(r.Status()) })
	}
	status("crust_storage_best_block", "Number of the best block", func(s reporter.Status) float64 { return float64(s.Best) })
	status("crust_storage_final_block", "Number of the last final block that the enclave knows", func(s reporter.Status) float64 { return float64(s.Final) })
	status("crust_storage_slot", "First block of the current slot", func(s reporter.Status) float64 { return float64(s.Slot) })
	status("crust_storage_reported_slot", "Slot of the latest heartbeat in the chain", func(s reporter.Status) float64 { return float64(s.Reported) })
	status("crust_storage_registered", "1 if the account's worker is this one", func(s reporter.Status) float64 {
		if s.Registered && !s.Suspended {
			return 1
		}
		return 0
	})
	status("crust_storage_heartbeats", "Heartbeats that were signed since the start", func(s reporter.Status) float64 { return float64(s.Heartbeats) })
	status("crust_storage_audits_answered", "Answers to audits since the start", func(s reporter.Status) float64 { return float64(s.Answers) })
	status("crust_storage_losses", "Losses that were declared since the start", func(s reporter.Status) float64 { return float64(s.Losses) })
	return reg
}
