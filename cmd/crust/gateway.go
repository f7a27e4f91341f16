package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/node/gateway"
)

// gatewayFlags are the flags of `crust gateway`.
type gatewayFlags struct {
	secret                  secretFlags
	nodeURL, basePath       string
	swarm, public           []string
	http, host              string
	httpPort, prometheus    uint16
	quota, perDay, up, down string
	expiring, trustless     bool
	noPrivate, withStdin    bool
	dht                     dhtFlags
	log                     string
}

// newGatewayCommand is `crust gateway`.
func newGatewayCommand(g *globals) *cobra.Command {
	var f gatewayFlags
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Run a gateway for users without a node",
		Long: `Run a gateway for users without a node: they upload files or pin CIDs, and the gateway keeps the content, orders that the network stores it, pays for that from its own account, and serves it over HTTP.

Users show themselves by tokens that they make with ` + "`crust gateway token`" + ` or with a wallet. The pinning service is at /psa, so that kubo can use it: ` + "`ipfs pin remote service add crust http://HOST/psa TOKEN`" + `. Uploads are at /api/v0/add, files at /ipfs/CID.

Each user has a quota, and the account a limit for each day. The base path has everything that was promised to users: keep it on a disk that can be trusted.`,
		Example: `  crust gateway --suri //Alice
  crust gateway --suri-file payer.key --http 0.0.0.0:8080 --host gw.example.com --spend-per-day 50CRU --no-private-ip
  curl -H "Authorization: Bearer $TOKEN" -F file=@photo.jpg http://127.0.0.1:8080/api/v0/add`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, g) },
	}
	f.add(cmd)
	cmd.AddCommand(newGatewayTokenCommand(g))
	return cmd
}

// add gives the command its flags.
func (f *gatewayFlags) add(cmd *cobra.Command) {
	f.secret.add(cmd)
	f.dht.add(cmd)
	s := cmd.Flags()
	s.StringVar(&f.nodeURL, "node-url", "", "address of the chain node's RPC (default that of --url)")
	s.StringVarP(&f.basePath, "base-path", "d", "", "where the gateway keeps blocks, pins and its key (default crust-gateway in the user's data directory)")
	s.StringArrayVar(&f.swarm, "swarm-addr", []string{"/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1"}, "multiaddress to listen on for the IPFS network; may be given several times")
	s.StringArrayVar(&f.public, "public-addr", nil, "multiaddress to tell others in addition; may be given several times")
	s.BoolVar(&f.noPrivate, "no-private-ip", false, "dial no private and loopback addresses that users name: for gateways on the public network")
	s.StringVar(&f.http, "http", "127.0.0.1:8080", "address to serve users on")
	s.Uint16Var(&f.httpPort, "http-port", 0, "port to serve users on, in place of that of --http")
	s.StringVar(&f.host, "host", "", "the gateway's name, which tokens must have (default the address of --http)")
	s.BoolVar(&f.expiring, "expiring-tokens", false, "refuse tokens without an end, which anybody who has seen one can use")
	s.BoolVar(&f.trustless, "trustless", false, "serve blocks and archives only, which clients can verify, and no web pages")
	s.StringVar(&f.quota, "quota", "10GiB", "how much a user may have")
	s.StringVar(&f.perDay, "spend-per-day", "100CRU", "what may be spent on orders in a day (UTC); 0 for nothing")
	s.StringVar(&f.up, "up", "0", "bytes per second that are sent to the IPFS network, such as 10MiB; 0 for as much as goes")
	s.StringVar(&f.down, "down", "0", "the same, of what is fetched")
	s.Uint16Var(&f.prometheus, "prometheus-port", 9617, "port of metrics; 0 picks a free one")
	s.BoolVar(&f.withStdin, "stop-with-stdin", false, "stop when standard input ends, as it does when the program that started the gateway is gone")
	s.StringVarP(&f.log, "log", "l", "info", "debug, info, warn or error")
}

func (f *gatewayFlags) run(cmd *cobra.Command, g *globals) error {
	cfg, err := f.config(cmd, g)
	if err != nil {
		return err
	}
	ctx, stop := serving(cmd, cfg.Log, f.withStdin)
	defer stop()
	return gateway.Run(ctx, cfg)
}

// config reads the flags.
func (f *gatewayFlags) config(cmd *cobra.Command, g *globals) (cfg gateway.Config, err error) {
	cfg = gateway.Config{
		NodeURL: cmp.Or(f.nodeURL, g.address()), Swarm: f.swarm, Public: f.public, NoPrivate: f.noPrivate, HTTPAddress: f.http, Host: f.host,
		OnlyExpiring: f.expiring, Trustless: f.trustless, PerDay: f.perDay, PrometheusPort: f.prometheus, Version: version,
	}
	if cfg.Log, err = newLogger(cmd.ErrOrStderr(), f.log); err != nil {
		return cfg, err
	}
	if cfg.Directory, err = f.dht.config(f.noPrivate); err != nil {
		return cfg, err
	}
	if cfg.Payer, err = f.secret.pair(cmd, ""); err != nil {
		return cfg, err
	}
	if cmd.Flags().Changed("http-port") {
		host, _, err := net.SplitHostPort(f.http)
		if err != nil {
			return cfg, fmt.Errorf("--http is %q; write it as 127.0.0.1:8080", f.http)
		}
		cfg.HTTPAddress = net.JoinHostPort(host, strconv.Itoa(int(f.httpPort)))
	}
	if cfg.BasePath, err = basePath(f.basePath, "crust-gateway"); err != nil {
		return cfg, err
	}
	for flag, to := range map[string]*uint64{"quota": &cfg.Quota, "up": &cfg.Up, "down": &cfg.Down} {
		if *to, err = sizeOf("--"+flag, cmd.Flag(flag).Value.String()); err != nil {
			return cfg, err
		}
	}
	if cfg.Quota == 0 {
		return cfg, errors.New("--quota is 0; nobody could have anything")
	}
	return cfg, nil
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
