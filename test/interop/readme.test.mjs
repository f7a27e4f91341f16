// The README's promise: exactly two commands, and they work as written.
import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, Process, root, rpcHTTP, run, until } from './lib/node.mjs';

const readme = await readFile(join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^```sh\n([^`]*)^```$/gm)].flatMap(([, block]) => block.trim().split('\n'));

test('there are exactly two commands', () => {
  assert.deepEqual(commands, ['make dev', 'make test']);
});

test('the first runs a chain that makes and finalises blocks, until interrupted', { timeout: 240_000 }, async () => {
  const port = await freePort();
  // Only the port is changed, so that a chain that already runs here is left alone.
  const child = new Process('sh', ['-c', `exec ${commands[0]}`], {
    cwd: root, detached: true, env: { ...process.env, DEV_FLAGS: `--rpc-port ${port}` },
  });
  const call = async (method, ...params) => (await rpcHTTP(`http://127.0.0.1:${port}`, { jsonrpc: '2.0', id: 1, method, params })).result;
  try {
    await until('three finalised blocks', 180_000, async () => {
      child.alive();
      const head = await call('chain_getFinalizedHead').catch(() => null); // not up yet
      return head && Number((await call('chain_getHeader', head)).number) >= 3;
    });
  } finally {
    if (!child.exit) process.kill(-child.child.pid, 'SIGINT');
    await until('the chain to stop', 20_000, () => child.exit).catch((error) => {
      process.kill(-child.child.pid, 'SIGKILL');
      throw error;
    });
  }
  await assert.rejects(call('system_health'), 'nothing is left behind');
});

test('the second is the test plan', { timeout: 30_000 }, async () => {
  // The plan runs this very test, so it is only shown here.
  const plan = await run('make', ['-n', ...commands[1].split(' ').slice(1)], { cwd: root });
  for (const step of ['gofmt', 'vet', 'staticcheck', 'units', 'race', 'fuzz', 'interop-js', 'gsrpc']) {
    assert.match(plan, new RegExp(`testsum step .*\\b${step} --`), step);
  }
});

test('the links of the documents lead somewhere', async () => {
  for (const name of ['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md', 'docs/STATUS.md']) {
    const text = await readFile(join(root, name), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      await access(join(root, name, '..', target)).catch(() => assert.fail(`${name} links to ${target}`));
    }
  }
});
