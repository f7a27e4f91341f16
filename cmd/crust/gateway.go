package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/dsm/w3auth"
)

// newGatewayCommand is `crust gateway`.
func newGatewayCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Make tokens for gateways and pinning services",
		Long:  "Make tokens for gateways and pinning services. Running a gateway with this program is not there yet.",
		Args:  unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGatewayTokenCommand(g))
	return cmd
}

func newGatewayTokenCommand(g *globals) *cobra.Command {
	var secret secretFlags
	var host, expires string
	var permanent bool
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token that shows a gateway who you are",
		Long: `Make a token that shows a gateway who you are: your account's signature, for the header "Authorization: Bearer TOKEN".

The token is good for one gateway until it expires. Gateways of the original network know only permanent tokens: --permanent makes one. Whoever sees a permanent token, each gateway that you give it to included, can use it everywhere and for ever.`,
		Example: "  crust gateway token --host gw.example.com --suri-file key.txt\n  crust gateway token --host 127.0.0.1:8080 --expires 12h --suri //Alice\n  crust gateway token --permanent --suri-file key.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if permanent == (host != "") {
				return fmt.Errorf("say which gateway the token is for with --host NAME, as in its address, or make one for all with --permanent")
			}
			until := time.Time{}
			if !permanent {
				d, err := days(expires)
				if err != nil {
					return err
				}
				until = time.Now().Add(d)
			}
			pair, err := secret.pair(cmd, "")
			if err != nil {
				return err
			}
			result := struct {
				Token   string `json:"token"`
				Address string `json:"address"`
				Host    string `json:"host,omitempty"`
				Expires string `json:"expires,omitempty"`
			}{Address: string(w3auth.SubstrateUser(pair.Account())), Host: host}
			end := uint64(0)
			if !permanent {
				end, result.Expires = uint64(until.Unix()), until.UTC().Format(time.RFC3339)
			}
			if result.Token, err = w3auth.Token(pair, host, end); err != nil {
				return err
			}
			if g.json {
				return g.print(cmd, result)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), result.Token)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&host, "host", "", "the gateway's host, with its port if its address has one")
	f.StringVar(&expires, "expires", "30d", "how long the token is good, such as 12h or 30d")
	f.BoolVar(&permanent, "permanent", false, "a token for every gateway, without an end")
	secret.add(cmd)
	return cmd
}

// days reads a duration that may be in days.
func days(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if number, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(number, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < time.Second {
		return 0, fmt.Errorf("%q is no duration; write it as 12h or 30d, a second at least", text)
	}
	return d, nil
}
