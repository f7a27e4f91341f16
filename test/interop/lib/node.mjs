// Starts the real binary as a child process on free ports and stops it again.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
export const crust = process.env.CRUST_BIN ?? join(root, 'bin', 'crust');

const logLines = 200; // kept for the report of a failure
const readyMs = 150_000;
const stopMs = 60_000;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** freePorts finds a row of ports, of which none is taken now, below those that the system gives
 * to connections. As in test/program, the last of each ten stays taken until this process ends,
 * and whoever asks there gets others. */
export async function freePorts(count) {
  for (let tries = 0; tries < 200; tries++) {
    const base = 20_000 + 10 * Math.floor(Math.random() * 1000);
    const row = Array.from({ length: 10 * Math.ceil(count / 10) }, (_, i) => base + i);
    const last = (port) => port % 10 === 9;
    const servers = [];
    const listen = async (port) => {
      const server = createServer().listen(port, '127.0.0.1');
      servers.push(server);
      await once(server, 'listening');
    };
    const close = (list) => Promise.all(list.filter((s) => s.listening).map((s) => { s.close(); return once(s, 'close'); }));
    let kept = 0;
    try {
      // Those that stay come first: where another has them, its other ports are not looked at.
      for (const port of row.filter(last)) await listen(port);
      for (const port of row.filter((p) => !last(p))) await listen(port);
      kept = row.length / 10;
      for (const server of servers.slice(0, kept)) server.unref();
      return base;
    } catch {
      // taken: another row
    } finally {
      await close(servers.slice(kept));
    }
  }
  throw new Error(`no ${count} free ports in a row`);
}

/** freePort finds one port. */
export const freePort = () => freePorts(1);

/** until polls a condition and returns its first truthy value. */
export async function until(what, ms, poll) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await poll();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await sleep(100);
  }
}

/** Process is a child with a bounded log and a clean end. */
export class Process {
  constructor(command, args, options = {}) {
    this.name = [command, ...args].join(' ');
    this.log = [];
    this.exit = null;
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        this.log.push(...lines);
        if (this.log.length > logLines) this.log.splice(0, this.log.length - logLines);
      });
    }
    this.child.on('error', (error) => { this.exit ??= { code: null, signal: null, error }; });
    this.child.on('exit', (code, signal) => { this.exit ??= { code, signal }; });
  }

  tail() { return `--- log of ${this.name}\n${this.log.join('\n')}\n---`; }

  alive() {
    if (this.exit) throw new Error(`${this.name} ended: ${JSON.stringify(this.exit)}\n${this.tail()}`);
    return true;
  }

  /** stop interrupts the process and demands that it ends in time with status 0. */
  async stop() {
    this.alive();
    this.child.kill('SIGINT');
    try {
      await until(`${this.name} to stop`, stopMs, () => this.exit);
    } catch (error) {
      this.child.kill('SIGKILL');
      throw new Error(`${error.message}\n${this.tail()}`);
    }
    if (this.exit.code !== 0) throw new Error(`${this.name} stopped with ${JSON.stringify(this.exit)}\n${this.tail()}`);
  }
}

/** rpcHTTP sends one JSON-RPC body, an object or a batch, and returns the parsed answer. */
export async function rpcHTTP(url, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return answer.json();
}

/** Node is a running development chain. */
export class Node extends Process {
  constructor(args, port, dir, options) {
    super(crust, args, options);
    Object.assign(this, { port, dir, ws: `ws://127.0.0.1:${port}`, http: `http://127.0.0.1:${port}` });
  }

  /** call makes one JSON-RPC request over HTTP and throws its error, code included. */
  async call(method, ...params) {
    const { result, error } = await rpcHTTP(this.http, { jsonrpc: '2.0', id: 1, method, params });
    if (error) throw Object.assign(new Error(`${method}: ${error.code} ${error.message}`), error);
    return result;
  }

  async height() { return Number((await this.call('chain_getHeader')).number); }

  async stop() {
    try {
      await super.stop();
    } finally {
      await rm(this.dir, { recursive: true, force: true });
    }
  }
}

/** startNode starts "crust node --dev" and waits until it answers and has made a block. */
export async function startNode(...extra) {
  const dir = await mkdtemp(join(tmpdir(), 'crust-interop-'));
  const port = await freePort();
  const args = ['node', '--dev', '--tmp', '--rpc-port', String(port), '--prometheus-port', '0', ...extra];
  const node = new Node(args, port, dir, { cwd: dir, env: { ...process.env, TMPDIR: dir } });
  try {
    await until('the first block', readyMs, async () => {
      node.alive();
      return (await node.height().catch(() => 0)) >= 1;
    });
  } catch (error) {
    node.child.kill('SIGKILL');
    throw new Error(`${error.message}\n${node.tail()}`);
  }
  return node;
}

/** run executes a command to its end and returns what it wrote to stdout. */
export async function run(command, args, { timeout = 60_000, ...options } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, ...options });
  let out = '', err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${signal ?? `status ${code}`}\n${out}${err}`);
  return out;
}
