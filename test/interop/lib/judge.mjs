// The frame of every suite: one node for the file, tests with a timeout, and the
// node's log beside the error when a test fails.
import { after, before, test } from 'node:test';
import { startNode } from './node.mjs';

/** suite starts a node before the tests of a file, and stops it after them.
 * setup receives the node and returns what the tests get; teardown undoes it. */
export function suite(setup, teardown, ...flags) {
  const ctx = {};
  before(async () => {
    ctx.node = await startNode(...flags);
    Object.assign(ctx, await setup?.(ctx.node));
  }, { timeout: 240_000 });
  after(async () => {
    await teardown?.(ctx);
    await ctx.node?.stop();
  }, { timeout: 90_000 });

  /** judge declares one test. */
  return function judge(name, run, timeout = 180_000) {
    test(name, { timeout }, async (t) => {
      try {
        await run(ctx, t);
      } catch (error) {
        t.diagnostic(ctx.node?.tail() ?? 'no node');
        throw error;
      }
    });
  };
}

/** within fails a promise that takes too long, naming what was waited for. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** random is a small seeded generator (mulberry32): the same seed, the same run. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
  return {
    below: (n) => next() % n,
    bytes: (n) => Uint8Array.from({ length: n }, () => next() & 0xff),
    seed,
  };
}

export const seed = Number(process.env.SEED ?? 1);
