// A light client of one chain: smoldot, and what it says of the chain through
// chainHead_v1.
import { start } from 'smoldot';
import { TypeRegistry } from '@polkadot/types';
import { until } from './node.mjs';
import { within } from './judge.mjs';

const requestMs = 100_000;
const logLines = 400; // kept for the report of a failure
const keptBlocks = 16; // final ones that stay pinned, for tests that read from them; smoldot allows 32
const noise = /^json-rpc|^tx-service|task-too-long|neighbor-packet|block-announce|bitswap|best-chain-update/;
const registry = new TypeRegistry();

// smoldot leaves timers behind when it ends, for as long as it bans peers: ten
// minutes. At the end of a suite they are not to keep the process alive.
const timers = new Set();
let over = false;
const { setTimeout } = globalThis;
globalThis.setTimeout = (f, ms, ...args) => {
  const timer = setTimeout(() => {
    timers.delete(timer);
    f(...args);
  }, ms);
  if (over) timer.unref();
  else timers.add(timer);
  return timer;
};

/** forgetTimers lets the process end whatever is still to come. */
export function forgetTimers() {
  over = true;
  for (const timer of timers) timer.unref();
}

/** decodeHeader returns a header's parts. */
export const decodeHeader = (hex) => registry.createType('Header', hex);

/** changesVoters says whether a header schedules a change of GRANDPA's voters. */
export const changesVoters = (header) => header.digest.logs.some((item) => item.isConsensus && item.asConsensus[0].toUtf8() === 'FRNK' && item.asConsensus[1][0] === 1);

/** smoldot starts a client that may use one transport only, 'tcp' or 'ws'. It may not
 * use all of a processor: when it asks peers in vain it asks again at once, and nothing
 * else would run. */
export const smoldot = (transport, logCallback = () => {}) => start({ cpuRateLimit: 0.5, forbidTcp: transport !== 'tcp', forbidWs: transport !== 'ws', forbidWss: true, maxLogLevel: 4, logCallback });

/** Light is a client of one chain. */
export class Light {
  /** open starts smoldot; transport is 'tcp' or 'ws', and the only one allowed. */
  static async open(spec, transport = 'tcp') {
    const light = new Light();
    light.client = smoldot(transport, (level, target, message) => light.note(level, target, message));
    try {
      light.chain = await within(requestMs, 'addChain', light.client.addChain({ chainSpec: spec }));
    } catch (error) {
      await light.client.terminate();
      throw new Error(`${error.message}\n${light.tail()}`);
    }
    light.pump();
    return light;
  }

  constructor() {
    Object.assign(this, { log: [], verdicts: [], calls: new Map(), nextId: 1, early: [], operations: new Map(), events: Promise.resolve() });
    this.headers = new Map(); // of blocks that are pinned, by hash
    this.held = new Set(); // hashes of blocks that stay pinned
    this.finalised = []; // every final block in order, from the one that the client began with: {hash, header, number}
  }

  note(level, target, message) {
    if (level > 3 && noise.test(`${target}: ${message}`)) return;
    const line = `${level} ${target}: ${message}`;
    if (/verify-error|warp-sync-fragment-verify/.test(line)) this.verdicts.push(line.slice(0, 400));
    this.log.push(line);
    if (this.log.length > logLines) this.log.splice(0, this.log.length - logLines);
  }

  tail() { return `--- log of smoldot\n${this.log.slice(-40).join('\n')}\n---`; }

  async pump() {
    try {
      for await (const text of this.chain.jsonRpcResponses) this.take(JSON.parse(text));
      if (!this.stopped) this.failure = new Error('smoldot panicked'); // which ends the answers for who waits for one
    } catch (error) { // the client has ended
      if (error.name === 'CrashError') this.failure = new Error(`smoldot panicked: ${error.message}`);
    }
  }

  take(message) {
    if (message.id === undefined) {
      const { subscription, result } = message.params;
      if (subscription === this.subscription) this.event(result);
      else this.early.push({ subscription, result }); // before the subscription's id
      return;
    }
    const call = this.calls.get(message.id);
    this.calls.delete(message.id);
    if (message.error) call?.reject(new Error(`${call.method}: ${message.error.code} ${message.error.message}`));
    else call?.resolve(message.result);
  }

  /** request makes one JSON-RPC request. */
  request(method, ...params) {
    const id = this.nextId++;
    const answer = new Promise((resolve, reject) => { this.calls.set(id, { method, resolve, reject }); });
    this.chain.sendJsonRpc(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return within(requestMs, `smoldot's ${method}`, answer);
  }

  /** follow begins to record the chain, headers included; runtime calls need withRuntime. */
  async follow(withRuntime = false) {
    this.withRuntime = withRuntime;
    this.subscription = await this.request('chainHead_v1_follow', withRuntime);
    for (const { subscription, result } of this.early.splice(0)) if (subscription === this.subscription) this.event(result);
  }

  event(event) {
    if (event.operationId !== undefined) {
      this.operation(event.operationId).push(event);
      return;
    }
    if (event.event === 'stop') this.ended = this.subscription; // what is asked about its blocks fails from here on
    const { subscription } = this;
    this.events = this.events.then(() => this.followed(event)).catch((error) => { if (this.ended !== subscription) this.failure ??= error; });
  }

  async followed(event) {
    switch (event.event) {
      case 'initialized':
        this.finalised = [];
        this.headers.clear();
        for (const hash of event.finalizedBlockHashes) await this.finalise(hash);
        break;
      case 'newBlock':
        await this.learn(event.blockHash);
        break;
      case 'bestBlockChanged':
        this.best = await this.learn(event.bestBlockHash);
        break;
      case 'finalized':
        for (const hash of event.finalizedBlockHashes) await this.finalise(hash);
        for (const hash of event.prunedBlockHashes) await this.unpin(hash);
        break;
      case 'stop': // warp sync has left a gap
        await this.follow(this.withRuntime);
        break;
    }
  }

  async learn(hash) {
    let header = this.headers.get(hash);
    if (!header) {
      header = decodeHeader(await this.request('chainHead_v1_header', this.subscription, hash));
      this.headers.set(hash, header);
    }
    return { hash, header, number: header.number.toNumber() };
  }

  async finalise(hash) {
    const block = await this.learn(hash);
    const old = this.finalised.at(-1 - keptBlocks);
    this.finalised.push(block);
    if (old && !this.held.has(old.hash)) await this.unpin(old.hash);
  }

  /** latest is the last final block, which stays pinned: who reads from it may need longer than
   * keptBlocks blocks. */
  latest() {
    const block = this.finalised.at(-1);
    this.held.add(block.hash);
    return block;
  }

  async unpin(hash) {
    if (this.headers.delete(hash)) await this.request('chainHead_v1_unpin', this.subscription, hash);
  }

  operation(id) {
    if (!this.operations.has(id)) this.operations.set(id, []);
    return this.operations.get(id);
  }

  /** finish starts an operation and returns its events when it is done. */
  async finish(method, ...params) {
    const started = await this.request(method, this.subscription, ...params);
    if (started.result !== 'started') throw new Error(`${method}: ${JSON.stringify(started)}`);
    const events = this.operation(started.operationId);
    for (let seen = 0; ;) {
      await until(`${method} to be done\n${this.tail()}`, requestMs, () => events.length > seen);
      for (; seen < events.length; seen++) {
        const { event, error } = events[seen];
        if (event === 'operationWaitingForContinue') await this.request('chainHead_v1_continue', this.subscription, started.operationId);
        if (event === 'operationInaccessible' || event === 'operationError') throw new Error(`${method}: ${event} ${error ?? ''}`);
        if (/^operation(Storage|Call|Body)Done$/.test(event)) return events;
      }
    }
  }

  /** storage reads items of the state after a block, with proofs. */
  async storage(hash, items) {
    const events = await this.finish('chainHead_v1_storage', hash, items, null);
    return events.flatMap((e) => e.items ?? []);
  }

  /** call runs a function of the query view. */
  async call(hash, name, args = '0x') {
    return (await this.finish('chainHead_v1_call', hash, name, args)).at(-1).output;
  }

  /** until waits for the recorded chain to satisfy a condition. */
  async until(what, ms, condition) {
    try {
      return await until(what, ms, () => {
        if (this.failure) throw this.failure;
        return condition(this);
      });
    } catch (error) {
      const at = this.finalised.at(-1)?.number ?? 'none';
      throw new Error(`${error.message}; finalised: ${at}, best: ${this.best?.number ?? 'none'}\n${this.tail()}`);
    }
  }

  stop() { return this.stopped ??= this.client.terminate(); }
}
