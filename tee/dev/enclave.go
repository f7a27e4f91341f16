package dev

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/crustgo/crust/tee"
)

// Config is what an enclave in software is made from.
type Config struct {
	CA      *CA
	Kind    tee.Kind // of its evidence
	Version uint32   // of its program; at least 1
	// Secret stands for what hardware keeps: it names the platform and gives all
	// sealing keys. Each state directory has its own.
	Secret [32]byte
	Random io.Reader // a source of cryptographic randomness, safe for several goroutines
}

// Enclave is an enclave in software: a tee.Enclave that protects nothing.
type Enclave struct {
	cfg      Config
	code     tee.Code
	specimen Specimen // of its evidence, but for the data
}

var _ tee.Enclave = (*Enclave)(nil)

// NewEnclave makes an enclave. Missing parts of the configuration panic.
func NewEnclave(cfg Config) *Enclave {
	if cfg.CA == nil || cfg.Random == nil || cfg.Version == 0 {
		panic("dev: an enclave needs an authority, a version and randomness")
	}
	s := cfg.CA.Specimen(cfg.Kind, PlatformOf(cfg.Secret), cfg.Version)
	s.certificates = s.Chain()
	return &Enclave{cfg, CodeOf(cfg.Kind, cfg.Version), *s}
}

// PlatformOf is the platform id of the enclaves with a secret.
func PlatformOf(secret [32]byte) (id [16]byte) {
	h := sha256.Sum256(append([]byte("crust/dev-enclave/platform"), secret[:]...))
	copy(id[:], h[:])
	return id
}

// Kind is the kind of the enclave's evidence.
func (e *Enclave) Kind() tee.Kind { return e.cfg.Kind }

// Code is the measurement of the development enclave's version.
func (e *Enclave) Code() tee.Code { return e.code }

// Quote makes evidence over data.
func (e *Enclave) Quote(data [64]byte) (tee.Evidence, error) {
	s := e.specimen
	s.Data = data
	return tee.Evidence{Kind: e.cfg.Kind, Raw: s.Quote()}, nil
}

// DeriveKey derives a key from the secret.
func (e *Enclave) DeriveKey(policy tee.Policy, label string) ([32]byte, error) {
	info := "crust/dev-enclave/seal-product/" + label
	switch policy {
	case tee.SealThisCode:
		info = "crust/dev-enclave/seal-code/" + string(e.code[:]) + label
	case tee.SealThisProduct:
	default:
		return [32]byte{}, fmt.Errorf("dev enclave: unknown sealing policy %d", policy)
	}
	k, err := hkdf.Key(sha256.New, e.cfg.Secret[:], nil, info, 32)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(k), nil
}

// Random reads the configured source.
func (e *Enclave) Random(b []byte) error {
	if _, err := io.ReadFull(e.cfg.Random, b); err != nil {
		return fmt.Errorf("dev enclave: randomness: %w", err)
	}
	return nil
}
