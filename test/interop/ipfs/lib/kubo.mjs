// Runs kubo: its program, a repository in a directory, and its daemon on the loopback
// interface alone, without a DHT, bootstrap nodes or discovery.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Process, root, run, until } from '../../lib/node.mjs';

/** ipfs is the program, in the version of ../../kubo/go.mod; `make kubo` builds it. */
export const ipfs = process.env.KUBO_BIN ?? join(root, 'out', 'kubo', 'ipfs');

const readyMs = 90_000;

// profile "test" has random ports and nobody to talk to; the rest goes without a DHT,
// and asks no server for anything.
const config = {
  'Routing.Type': 'none',
  'Swarm.DisableNatPortMap': true,
  'AutoTLS.Enabled': false,
  'AutoConf.Enabled': false,
  'Version.SwarmCheckEnabled': false,
  'Provide.Enabled': false,
  'Gateway.NoFetch': true,
};

/** lines are those of a command's output, without empty ones. */
export const lines = (text) => text.split('\n').filter(Boolean);

/** Kubo is a repository, and a daemon once it is started. */
export class Kubo {
  constructor(dir) {
    this.dir = dir;
    this.env = { ...process.env, IPFS_PATH: dir, IPFS_TELEMETRY: 'off' };
  }

  /** init makes the repository; ids of content are made by kubo's own defaults. */
  async init(more = {}) {
    await this.run('init', '--profile=test');
    for (const [key, value] of Object.entries({ ...config, ...more })) await this.run('config', '--json', key, JSON.stringify(value));
    return this;
  }

  /** start starts the daemon and waits until it answers. */
  async start() {
    this.daemon = new Process(ipfs, ['daemon'], { env: this.env });
    await until('kubo', readyMs, () => this.daemon.alive() && this.daemon.log.includes('Daemon is ready'));
    this.gateway = await readFile(join(this.dir, 'gateway'), 'utf8');
    const { Addresses: [address] } = await this.json('id');
    this.address = address;
    return this;
  }

  async stop() { await this.daemon?.stop(); }

  /** run executes a command and returns what it says, without the last line's end. */
  async run(...args) { return this.within(60_000, ...args); }

  /** within is run with another patience. */
  async within(timeout, ...args) {
    return (await run(ipfs, args, { env: this.env, timeout, killSignal: 'SIGKILL' })).trimEnd();
  }

  /** json is what a command says to programs. */
  async json(...args) { return JSON.parse(await this.run(...args, '--enc=json')); }

  /** size is the cumulative size of a graph, which an order names. */
  async size(cid) { return (await this.json('files', 'stat', `/ipfs/${cid}`)).CumulativeSize; }

  /** has reports whether a block is in the repository. */
  async has(cid) {
    const [block, blocks] = await Promise.all([this.run('cid', 'format', '-v', '1', '-b', 'base32', '--mc', 'raw', cid), this.run('refs', 'local')]);
    return lines(blocks).includes(block);
  }

  /** forget removes a graph, and closes all connections to those who could give it back. */
  async forget(cid) {
    await this.run('pin', 'rm', cid);
    await this.leave();
    await this.run('repo', 'gc', '-q');
    if (await this.has(cid)) throw new Error(`kubo has not forgotten ${cid}`);
    await this.leave();
  }

  /** leave closes all connections, until there are none: some may end meanwhile, or be made again by
   * the other side or, in the directory, by kubo itself. */
  async leave() {
    await until('kubo to have no peers', 30_000, async () => {
      const peers = lines(await this.run('swarm', 'peers'));
      for (const address of peers) await this.run('swarm', 'disconnect', address).catch(() => {});
      return peers.length === 0;
    });
  }
}
