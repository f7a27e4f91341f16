package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Claim is something that the product promises, and what was seen of it.
type Claim struct {
	Claim    string  `json:"claim"`
	Evidence string  `json:"evidence"`
	Held     bool    `json:"held"`
	Seconds  float64 `json:"seconds"` // since the beginning
}

// File is what became of a path that was stored.
type File struct {
	Path string `json:"path"`
	CID  string `json:"cid"`
	Size uint64 `json:"size"` // of its blocks, in bytes
}

// Report is the outcome of a demonstration.
type Report struct {
	BasePath string  `json:"base_path"`
	Files    []File  `json:"files"`
	Claims   []Claim `json:"claims"`
	Seconds  float64 `json:"seconds"`
}

// Held reports whether there are claims, and all of them held.
func (r *Report) Held() bool {
	for _, c := range r.Claims {
		if !c.Held {
			return false
		}
	}
	return len(r.Claims) > 0
}

// Write writes the report for people.
func (r *Report) Write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\n \tCLAIM\tEVIDENCE")
	for _, c := range r.Claims {
		mark := "no"
		if c.Held {
			mark = "ok"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, c.Claim, c.Evidence)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verdict := "All of it held."
	if !r.Held() {
		verdict = "Not all of it held."
	}
	_, err := fmt.Fprintf(out, "\n%s %.0f seconds, data in %s\n", verdict, r.Seconds, r.BasePath)
	return err
}
