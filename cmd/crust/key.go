package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/bip39"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// newKeyCommand is `crust key`.
func newKeyCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, inspect and use keys",
		Long:  "Make, inspect and use keys. Nothing is stored: keys are phrases and key URIs that you keep.",
		Args:  unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyGenerateCommand(g), newKeyInspectCommand(g), newKeySignCommand(g), newKeyVerifyCommand(g))
	return cmd
}

// keyInfo is what is told of a key.
type keyInfo struct {
	Phrase  string `json:"secretPhrase,omitempty"`
	Seed    string `json:"secretSeed,omitempty"`
	Scheme  string `json:"scheme,omitempty"`
	Public  string `json:"publicKey,omitempty"`
	Account string `json:"accountId"`
	Address string `json:"ss58Address"`
	Network uint16 `json:"networkPrefix"`
}

func keyInfoOf(pair crypto.Pair, network uint16) keyInfo {
	public, account := pair.Public(), pair.Account()
	return keyInfo{
		Scheme: pair.Scheme().String(), Public: jsonrpc.Hex(public.Bytes()).String(),
		Account: types.AccountID(account).String(), Address: ss58.Encode(network, account), Network: network,
	}
}

func (k *keyInfo) write(g *globals, cmd *cobra.Command) error {
	if g.json {
		return g.print(cmd, k)
	}
	for _, line := range [][2]string{
		{"Secret phrase", k.Phrase}, {"Secret seed", k.Seed}, {"Scheme", k.Scheme}, {"Public key", k.Public},
		{"Account ID", k.Account}, {"SS58 address", k.Address}, {"Network prefix", fmt.Sprint(k.Network)},
	} {
		if line[1] != "" {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-15s %s\n", line[0]+":", line[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func networkFlag(cmd *cobra.Command, network *uint16) {
	cmd.Flags().Uint16Var(network, "network", ss58.CrustPrefix, "SS58 prefix of addresses")
}

func checkNetwork(network uint16) error {
	if network > ss58.MaxPrefix {
		return fmt.Errorf("--network is %d; prefixes go up to %d", network, ss58.MaxPrefix)
	}
	return nil
}

func newKeyGenerateCommand(g *globals) *cobra.Command {
	var words int
	var network uint16
	var secret secretFlags
	cmd := &cobra.Command{
		Use:     "generate",
		Short:   "Make a new key and show its phrase",
		Long:    "Make a new key and show its phrase. Write the phrase down: it is the key, and it is not stored anywhere.",
		Example: "  crust key generate\n  crust key generate --words 24 --scheme ed25519 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if words < 12 || words > 24 || words%3 != 0 {
				return fmt.Errorf("--words is %d; use 12, 15, 18, 21 or 24", words)
			}
			if err := checkNetwork(network); err != nil {
				return err
			}
			entropy := make([]byte, words/3*4)
			rand.Read(entropy) // never fails
			phrase, err := bip39.Phrase(entropy)
			if err != nil {
				return err
			}
			pair, err := secret.pair(cmd, phrase)
			if err != nil {
				return err
			}
			info := keyInfoOf(pair, network)
			info.Phrase = phrase
			return info.write(g, cmd)
		},
	}
	cmd.Flags().IntVar(&words, "words", 12, "length of the phrase: 12, 15, 18, 21 or 24 words")
	networkFlag(cmd, &network)
	secret.addScheme(cmd)
	return cmd
}

func newKeyInspectCommand(g *globals) *cobra.Command {
	var network uint16
	var secret secretFlags
	var public, show bool
	cmd := &cobra.Command{
		Use:   "inspect [URI|ADDRESS|PUBLIC]",
		Short: "Show the public key and address of a key",
		Long: `Show the public key and the address of a key URI, or of an address or public key.

A key URI is a phrase or a 0x seed (nothing stands for the public development phrase), then //hard and /soft derivations, then ///password. A secret on the command line is visible to other users of this machine: prefer --suri-file. Secrets are not shown unless --show-secret is given.`,
		Example: "  crust key inspect //Alice\n  crust key inspect --suri-file key.txt --show-secret\n  crust key inspect cTMxUeDi2HdYVpedqu5AFMtyDcn4djbBfCKiPDds6k1fuFYXL --network 42",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkNetwork(network); err != nil {
				return err
			}
			given := strings.Join(args, "")
			if public || isAddress(given) {
				account, err := accountOf(given)
				if err != nil {
					return err
				}
				info := keyInfo{Account: account.String(), Address: ss58.Encode(network, account), Network: network}
				return info.write(g, cmd)
			}
			uri, err := secret.uri(cmd, given)
			if err != nil {
				return errors.New("nothing to inspect; give a key URI, an address, or --suri-file")
			}
			pair, err := secret.pair(cmd, uri)
			if err != nil {
				return err
			}
			info := keyInfoOf(pair, network)
			if show {
				if phrase, _, _ := strings.Cut(uri, "/"); phrase != "" && !strings.HasPrefix(phrase, "0x") {
					info.Phrase = phrase
				}
				if seed, ok, err := crypto.URISeed(uri, pair.Scheme()); err == nil && ok {
					info.Seed = "0x" + hex.EncodeToString(seed[:])
				}
			}
			return info.write(g, cmd)
		},
	}
	secret.add(cmd)
	networkFlag(cmd, &network)
	cmd.Flags().BoolVar(&public, "public", false, "the argument is a public key of 32 bytes in hexadecimal, not a seed")
	cmd.Flags().BoolVar(&show, "show-secret", false, "show the phrase and the seed, too")
	return cmd
}

// isAddress tells an address from a key URI: it is one base58 word of its length.
func isAddress(text string) bool {
	return len(text) > 40 && !strings.HasPrefix(text, "0x") && !strings.ContainsAny(text, " /")
}

// accountOf reads an address of any network, or the hexadecimal form.
func accountOf(text string) (types.AccountID, error) {
	if isAddress(text) {
		account, _, err := ss58.Decode(text)
		return account, err
	}
	f := metadata.Format{Prefix: ss58.CrustPrefix}
	return f.ParseAccount(text)
}

// messageArgs reads the message to sign: the argument, in hexadecimal if hex is
// set, or standard input.
func messageArgs(cmd *cobra.Command, args []string, isHex bool) ([]byte, error) {
	text := strings.Join(args, "")
	if len(args) == 0 {
		b, err := io.ReadAll(cmd.InOrStdin())
		if err != nil || !isHex {
			return b, err
		}
		text = strings.TrimSpace(string(b))
	}
	if !isHex {
		return []byte(text), nil
	}
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return nil, errors.New("the message is not hexadecimal; leave out --hex to sign it as text")
	}
	return b, nil
}

func newKeySignCommand(g *globals) *cobra.Command {
	var secret secretFlags
	var isHex bool
	cmd := &cobra.Command{
		Use:     "sign [MESSAGE]",
		Short:   "Sign a message",
		Long:    "Sign a message: the argument, or standard input. The signature is written in hexadecimal.",
		Example: "  crust key sign --suri //Alice hello\n  crust key sign --suri-file key.txt < message.txt",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pair, err := secret.pair(cmd, "")
			if err != nil {
				return err
			}
			if secret.file == "-" && len(args) == 0 {
				return errors.New("standard input cannot be both the key and the message; give the message as an argument")
			}
			msg, err := messageArgs(cmd, args, isHex)
			if err != nil {
				return err
			}
			sig := pair.Sign(msg, nil)
			text := jsonrpc.Hex(sig.Bytes()).String()
			if g.json {
				return g.print(cmd, map[string]any{"signature": text, "scheme": pair.Scheme().String(), "accountId": types.AccountID(pair.Account()).String()})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	secret.add(cmd)
	cmd.Flags().BoolVar(&isHex, "hex", false, "the message is in hexadecimal")
	return cmd
}

func newKeyVerifyCommand(g *globals) *cobra.Command {
	var secret secretFlags
	var isHex bool
	cmd := &cobra.Command{
		Use:     "verify SIGNATURE ADDRESS [MESSAGE]",
		Short:   "Verify a signature",
		Long:    "Verify the signature of a message, which is the argument or standard input, by an address, a public key, or a development key such as //Alice. The exit status is 0 only if the signature is valid.",
		Example: "  crust key verify 0x1234… //Alice hello",
		Args:    cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			scheme, err := crypto.SchemeOf(secret.scheme)
			if err != nil {
				return err
			}
			raw, err := hex.DecodeString(strings.TrimPrefix(args[0], "0x"))
			if err != nil {
				return errors.New("the signature is not hexadecimal; `crust key sign` writes one")
			}
			sig, err := crypto.NewSignature(scheme, raw)
			if err != nil {
				return err
			}
			account, err := signerOf(args[1], scheme)
			if err != nil {
				return err
			}
			msg, err := messageArgs(cmd, args[2:], isHex)
			if err != nil {
				return err
			}
			if !sig.Verify(msg, account) {
				return fmt.Errorf("the signature is not valid; check the message, the address and --scheme (%v)", scheme)
			}
			if g.json {
				return g.print(cmd, map[string]any{"valid": true})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "The signature is valid.")
			return err
		},
	}
	secret.addScheme(cmd)
	cmd.Flags().BoolVar(&isHex, "hex", false, "the message is in hexadecimal")
	return cmd
}

// signerOf is the account that a signature must be of. A development key is
// derived with the scheme of the signature.
func signerOf(text string, scheme crypto.Scheme) (types.AccountID, error) {
	if strings.HasPrefix(text, "/") {
		pair, err := crypto.ParseURI(text, scheme)
		if err != nil {
			return types.AccountID{}, err
		}
		return pair.Account(), nil
	}
	return accountOf(text)
}
