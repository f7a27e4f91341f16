package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/substrate/crypto"
)

// maxSecret bounds what is read as a secret.
const maxSecret = 4096

// secretFlags say where a key comes from.
type secretFlags struct {
	suri, file, scheme string
}

func (s *secretFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.suri, "suri", "", "secret key: a phrase or 0x seed, with //hard and /soft derivations and ///password (env CRUST_SURI)")
	f.StringVar(&s.file, "suri-file", "", "file that holds the secret key, or - for standard input; safer than --suri")
	s.addScheme(cmd)
}

func (s *secretFlags) addScheme(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.scheme, "scheme", "sr25519", "sr25519, ed25519 or ecdsa")
}

// uri returns the key URI; given is one from elsewhere, which comes first.
func (s *secretFlags) uri(cmd *cobra.Command, given string) (string, error) {
	switch {
	case given != "":
		return given, nil
	case s.suri != "" && s.file != "":
		return "", errors.New("--suri and --suri-file exclude each other; give one of them")
	case s.suri != "":
		return s.suri, nil
	case s.file != "":
		return readSecret(cmd.InOrStdin(), s.file)
	case os.Getenv("CRUST_SURI") != "":
		return os.Getenv("CRUST_SURI"), nil
	}
	return "", errors.New("no key to sign with; give one with --suri-file FILE, or --suri //Alice on a development chain")
}

func readSecret(stdin io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		stdin = f
	}
	b, err := io.ReadAll(io.LimitReader(stdin, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("the secret key in %s has more than %d bytes; is it the right file?", name, maxSecret)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" { // which would be the development phrase, known to everybody
		return "", fmt.Errorf("the secret key in %s is empty; is it the right file?", name)
	}
	return secret, nil
}

// pair returns the key.
func (s *secretFlags) pair(cmd *cobra.Command, given string) (crypto.Pair, error) {
	scheme, err := crypto.SchemeOf(s.scheme)
	if err != nil {
		return nil, err
	}
	uri, err := s.uri(cmd, given)
	if err != nil {
		return nil, err
	}
	return crypto.ParseURI(uri, scheme)
}
