// Starts "crust devnet": validators in processes of their own, which tests kill and
// start again, and storage nodes and gateways if they are asked for.
import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { crust, freePorts, Process, rpcHTTP, until } from './node.mjs';

const readyMs = 180_000;
const portsPerNode = 10;
const logBytes = 3000; // of each node, for the report of a failure

/** Validator is a node of the network, as devnet.json describes it. */
class Validator {
  constructor(entry) {
    Object.assign(this, entry, { http: entry.rpc.replace('ws:', 'http:') });
    [this.tcp, this.webSocket] = entry.p2p;
  }

  /** call makes one JSON-RPC request over HTTP and throws its error, code included. */
  async call(method, ...params) {
    const { result, error } = await rpcHTTP(this.http, { jsonrpc: '2.0', id: 1, method, params });
    if (error) throw Object.assign(new Error(`${this.name}: ${method}: ${error.code} ${error.message}`), error);
    return result;
  }

  /** finalised is the number and hash of the last final block. */
  async finalised() {
    const hash = await this.call('chain_getFinalizedHead');
    return { hash, number: Number((await this.call('chain_getHeader', hash)).number) };
  }

  /** running reports whether the process is there; a zombie is not. */
  async running() {
    const stat = await readFile(`/proc/${this.pid}/stat`, 'utf8').catch(() => ') Z');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  }

  /** kill ends the process without a chance to clean up. */
  async kill() {
    process.kill(this.pid, 'SIGKILL');
    await until(`${this.name} to be gone`, 60_000, async () => !(await this.running()));
  }

  /** restart starts the process again as devnet.json says. */
  async restart() {
    const log = await open(this.log, 'a');
    try {
      this.child = spawn(this.command[0], [...this.command.slice(1), '--stop-with-stdin'], { stdio: ['pipe', log.fd, log.fd] });
      await once(this.child, 'spawn');
      this.pid = this.child.pid;
    } finally {
      await log.close();
    }
  }

  /** stopRestarted stops the process if restart started it. */
  async stopRestarted() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 60_000);
    await ended;
    clearTimeout(timer);
  }

  tail() { return tail(this); }
}

/** tail is the end of a process's log. */
async function tail({ name, log }) {
  const text = await readFile(log, 'utf8').catch((error) => error.message);
  return `--- log of ${name}\n${text.slice(-logBytes)}`;
}

/** Devnet is a running network. */
class Devnet extends Process {
  /** spec is the chain specification with other bootnodes than all. */
  spec(bootNodes) { return JSON.stringify({ ...this.chainSpec, bootNodes }); }

  async tails() {
    const { storage = [], gateways = [] } = this.file ?? {};
    return [this.tail(), ...await Promise.all([...this.validators, ...storage, ...gateways].map(tail))].join('\n');
  }

  async stop() {
    try {
      for (const v of this.validators) await v.stopRestarted();
      await super.stop();
    } finally {
      await rm(this.dir, { recursive: true, force: true });
    }
  }
}

/** startDevnet starts a network of validators, and of more if that is said, and waits until it finalises and all answer.
 * spec is the chain specification of a network with as many validators, if it is not to be the usual one. */
export async function startDevnet(count = 4, { storage = 0, gateways = 0, srd = '64MiB', spec } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'crust-interop-net-'));
  if (spec) await writeFile(join(dir, 'chain-spec.json'), spec);
  const base = await freePorts((count + storage + gateways) * portsPerNode);
  // With its end of the pipe the network ends too, however this process does.
  const net = new Devnet(crust, ['devnet', '--validators', String(count), '--storage', String(storage), '--gateways', String(gateways), '--srd', srd,
    '--base-path', dir, '--base-port', String(base)]);
  Object.assign(net, { dir, validators: [] });
  try {
    const described = await until('devnet.json', readyMs, async () => {
      net.alive();
      return readFile(join(dir, 'devnet.json'), 'utf8').catch(() => null);
    });
    net.file = JSON.parse(described);
    net.validators = net.file.validators.map((entry) => new Validator(entry));
    net.chainSpec = JSON.parse(await readFile(net.file.chain_spec, 'utf8'));
    return net;
  } catch (error) {
    net.child.kill('SIGTERM');
    throw new Error(`${error.message}\n${net.tail()}`);
  }
}
