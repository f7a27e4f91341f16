// smoldot, an independent light client, computes the genesis hash from our raw chain
// specification: that alone checks the state trie, the header and the query view.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from 'smoldot';
import { suite, within } from './lib/judge.mjs';
import { crust, run } from './lib/node.mjs';

const judge = suite();

const buildSpec = async (...flags) => JSON.parse(await run(crust, ['build-spec', '--chain', 'dev', ...flags]));

/** ask adds a chain to a new client, makes one request and ends the client. */
async function ask(spec, method, params = []) {
  const log = [];
  const client = start({ maxLogLevel: 3, logCallback: (level, target, message) => log.push(`${target}: ${message}`) });
  try {
    const chain = await within(60_000, 'addChain', client.addChain({ chainSpec: JSON.stringify(spec) }));
    chain.sendJsonRpc(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
    const answer = JSON.parse(await within(60_000, method, chain.nextJsonRpcResponse()));
    assert.equal(answer.error, undefined, log.join('\n'));
    return answer.result;
  } finally {
    await client.terminate();
  }
}

judge('computes the same genesis hash as the node', async ({ node }) => {
  const spec = await buildSpec('--raw');
  assert.equal(await ask(spec, 'chainSpec_v1_genesisHash'), await node.call('chain_getBlockHash', 0));
  assert.equal(await ask(spec, 'chainSpec_v1_chainName'), await node.call('system_chain'));
  assert.deepEqual(await ask(spec, 'chainSpec_v1_properties'), await node.call('system_properties'));
});

judge('sees the difference of one byte of state', async ({ node }) => {
  const spec = await buildSpec('--raw');
  const { top } = spec.genesis.raw;
  const key = Object.keys(top).find((k) => k.startsWith('0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9'));
  top[key] = top[key].slice(0, -1) + (top[key].endsWith('0') ? '1' : '0');
  assert.notEqual(await ask(spec, 'chainSpec_v1_genesisHash'), await node.call('chain_getBlockHash', 0));
});

test('build-spec is deterministic, and readable without --raw', { timeout: 60_000 }, async () => {
  assert.deepEqual(await buildSpec('--raw'), await buildSpec('--raw'));
  const readable = await buildSpec();
  assert.ok(readable.name && readable.id && readable.genesis);
  assert.equal(readable.genesis.raw, undefined);
});
