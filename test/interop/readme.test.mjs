// The documents' promises: the README has exactly two commands, and every line of shell and
// JavaScript in it and in the operating guide works as written.
import assert from 'node:assert/strict';
import { access, copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, freePorts, Process, root, rpcHTTP, run, until } from './lib/node.mjs';

const readme = await readFile(join(root, 'README.md'), 'utf8');
const guide = join(root, 'docs', 'operating');
// In the order of a reader: who joins a group needs one, and an owner a stash.
const pages = ['README', 'validator', 'owner', 'member', 'guarantor', 'isolation', 'gateway', 'upkeep', 'recovery'];

/** blocks returns the fenced parts of a document in a language. */
const blocks = (text, language) => [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, l]) => l === language).map(([, , code]) => code);
const commands = blocks(readme, 'sh').flatMap((block) => block.trim().split('\n'));

test('there are exactly two commands', () => {
  assert.deepEqual(commands, ['make demo', 'make test']);
});

test('the first runs the whole product', { timeout: 30_000 }, async () => {
  // It takes minutes and has a test of its own, so it is only shown here.
  assert.match(await run('make', ['-n', ...commands[0].split(' ').slice(1)], { cwd: root }), /^bin\/crust demo *$/m);
});

test('make dev runs a chain that makes and finalises blocks, until interrupted', { timeout: 280_000 }, async () => {
  const port = await freePort();
  // Only the port is changed, so that a chain that already runs here is left alone.
  const child = new Process('sh', ['-c', 'exec make dev'], {
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
    await until('the chain to stop', 60_000, () => child.exit).catch((error) => {
      process.kill(-child.child.pid, 'SIGKILL');
      throw error;
    });
  }
  await assert.rejects(call('system_health'), 'nothing is left behind');
});

test('the second is the test plan', { timeout: 30_000 }, async () => {
  // The plan runs this very test, so it is only shown here.
  const plan = await run('make', ['-n', ...commands[1].split(' ').slice(1)], { cwd: root });
  for (const step of ['gofmt', 'vet', 'staticcheck', 'units', 'race', 'fuzz', 'interop-light', 'interop-js', 'interop-ipfs', 'gsrpc', 'genesis-roots', 'oracle']) {
    assert.match(plan, new RegExp(`testsum step .*\\b${step} --`), step);
  }
});

test('the links of the documents lead somewhere', async () => {
  for (const name of ['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md', 'docs/STATUS.md', ...pages.map((page) => `docs/operating/${page}.md`)]) {
    const text = await readFile(join(root, name), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      await access(join(root, name, '..', target)).catch(() => assert.fail(`${name} links to ${target}`));
    }
  }
});

// What the documents say is said to a network of its own: their ports, of which crust devnet's
// are the first, are moved to others, so that what already runs here is left alone.
const firstPort = 9940, lastPort = 10049;
const base = await freePorts(lastPort - firstPort + 1);
const moved = (text) => text.replace(/\b(99[4-9]\d|100[0-4]\d)\b/g, (port) => base + Number(port) - firstPort);
let dir, devnet;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'crust-'));
  await symlink(join(root, 'bin'), join(dir, 'bin'));
  for (const name of ['README.md', 'LICENSE']) await copyFile(join(root, name), join(dir, name));
  devnet = new Process('bin/crust', ['devnet', '--base-port', String(base)], { cwd: dir });
  await until('the network', 120_000, () => devnet.alive() && access(join(dir, 'crust-devnet', 'devnet.json')).then(() => true, () => false));
}, { timeout: 150_000 });

after(async () => {
  await devnet?.stop();
  await rm(dir, { recursive: true, force: true });
}, { timeout: 90_000 });

/** shell runs the shell of a document; what it leaves running ends with it. */
const shell = (text) => {
  const script = moved(blocks(text, 'bash').join(''));
  return run('bash', ['-euxc', `trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n${script}`], { cwd: dir, timeout: 240_000 });
};

test("the README's shell works as written", { timeout: 260_000 }, async () => {
  const out = await shell(readme);
  assert.match(out, /^Stored\./m);
  assert.deepEqual(await readFile(join(dir, 'copy.md')), await readFile(join(root, 'README.md')));
  assert.match(await run('bin/crust', ['file', 'verify-proof', 'file.proof', '--chain', 'crust-devnet/chain-spec.json'], { cwd: dir }), /^Stage: +live until/m);
  assert.doesNotMatch(out, /^fail/m);
});

for (const [i, code] of blocks(readme, 'js').entries()) {
  test(`the README's program ${i + 1} works as written`, { timeout: 90_000 }, async () => {
    const file = join(root, 'test', 'interop', `.readme-${process.pid}-${i}.mjs`); // beside node_modules
    try {
      await writeFile(file, moved(code));
      assert.match(await run('node', [file], { timeout: 80_000 }), /0x[0-9a-f]{64}/);
    } finally {
      await rm(file, { force: true });
    }
  });
}

test('the guide has no page that is not run', async () => {
  assert.deepEqual((await readdir(guide)).sort(), pages.map((name) => `${name}.md`).sort());
});

test('the errors of the guide are those that the program knows', { timeout: 60_000 }, async () => {
  const text = await readFile(join(guide, 'recovery.md'), 'utf8');
  const said = [...text.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`(.*?)`/g)].map(([, quote]) => quote));
  const ofSystem = ['address already in use'];
  const parts = said.filter((quote) => !ofSystem.includes(quote)).flatMap((quote) => quote.replace(/^\w+\.(?=\w+$)/, '').split(/…|\b[NM]\b/).map((part) => part.trim()).filter(Boolean));
  assert.ok(parts.length > 30, `only ${parts.length} errors were found`);
  for (const part of parts) {
    await run('grep', ['-rqF', '--include=*.go', '--exclude=*_test.go', '--', part, ...['client', 'cmd', 'dsm', 'gpos', 'mpow', 'node', 'substrate']], { cwd: root })
      .catch(() => assert.fail(`nothing says ${JSON.stringify(part)}`));
  }
});

for (const name of pages) {
  test(`the operating guide works as written: ${name}`, { timeout: 260_000 }, async () => {
    const text = await readFile(join(guide, `${name}.md`), 'utf8');
    if (blocks(text, 'bash').length > 0) await shell(text);
  });
}
