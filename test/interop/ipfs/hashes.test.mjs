// kubo and `crust file add --only-hash` make the same CIDs of the same files. The
// corpus has the places where the form of a graph changes: leaves of 256 KiB, nodes of
// 174 links, directories that are sharded. CRUST_LONG adds a file of 1 GiB.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { crust, run } from '../lib/node.mjs';
import { KiB, MiB, sparse, write } from './lib/files.mjs';
import { Kubo } from './lib/kubo.mjs';

const small = 10_000; // files of the directory that is sharded
const deep = 60; // directories in one another; a path may have 64
const odd = ['with space', ' leading', 'trailing ', 'ünïcødé', 'u\u0308 decomposed', '日本語', '🦀.txt', '%2e%2f', '?query#fragment', 'back\\slash', 'new\nline',
  'quote"s\'', '-dash', '.hidden', '...', '*', 'a:b', 'CON', 'tab\there', '\u202etxt.exe', 'x'.repeat(255), 'é'.repeat(127)];

let dir, kubo;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'crust-hashes-'));
  kubo = await new Kubo(join(dir, 'kubo')).init();
});
after(() => rm(dir, { recursive: true, force: true }));

const path = (name) => join(dir, 'corpus', name);

/** agree compares what the two say of a path. */
async function agree(at, timeout = 60_000) {
  // Of kubo's flags, -H takes hidden files in, as crust always does.
  const of = async (theirs, ...ours) => {
    const want = await kubo.within(timeout, 'add', '-Q', '-r', '-H', '--only-hash', ...theirs, '--', at);
    const got = JSON.parse(await run(crust, ['file', 'add', '--only-hash', '--json', ...ours, '--', at], { timeout, killSignal: 'SIGKILL' }));
    assert.equal(got.cid, want, `${at} ${ours}`);
  };
  await of([]);
  if ((await stat(at)).isDirectory()) return; // which kubo measures as is configured, not as flags say
  await of(['--cid-version=1', '--raw-leaves', '--chunker=size-1048576', '--max-file-links=1024'], '--unixfs-2025');
}

for (const [name, bytes] of Object.entries({
  empty: 0, 'one byte': 1, '256 KiB - 1': 256 * KiB - 1, '256 KiB': 256 * KiB, '256 KiB + 1': 256 * KiB + 1, '1 MiB + 1': MiB + 1,
  '174 leaves': 174 * 256 * KiB, '175 leaves, two levels of links': 174 * 256 * KiB + 1, '45 MiB': 45 * MiB,
})) test(`a file: ${name}`, async () => agree(await write(path(name), bytes)));

test('a file: 1 GiB of zeros', { skip: !process.env.CRUST_LONG && 'CRUST_LONG is not set' }, async () => agree(await sparse(path('zeros'), 1024 * MiB), 300_000));

test('a directory: empty', async () => {
  await mkdir(path('nothing'), { recursive: true });
  await agree(path('nothing'));
});

test(`a directory: ${small} files, sharded`, async () => {
  for (let i = 0; i < small; i++) await write(path(`many/file-${String(i).padStart(5, '0')}`), `content ${i}`);
  await agree(path('many'), 120_000);
});

test('directories: just before and after they are sharded', async () => {
  // What counts is names and CIDs, here 50 and 34 bytes: 3121 of them are more than 256 KiB.
  for (const n of [3120, 3121]) {
    for (let i = 0; i < n; i++) await write(path(`edge-${n}/${String(i).padStart(50, '0')}`), '');
    await agree(path(`edge-${n}`));
  }
});

test('a directory: odd names', async () => {
  for (const name of odd) await write(path(`odd/${name}`), `of ${name}`);
  await agree(path('odd'));
  for (const name of odd) await agree(path(`odd/${name}`));
});

test(`directories: ${deep} in one another, and a wide tree`, async () => {
  await write(path(`deep/${Array.from({ length: deep }, (_, i) => `d${i}`).join('/')}/leaf`), 'at the bottom');
  await agree(path('deep'));
  for (let i = 0; i < 5; i++) for (let j = 0; j < 5; j++) for (let k = 0; k < 4; k++) await write(path(`wide/${i}/${j}/${k}`), (i * j * k) * 10 * KiB);
  await mkdir(path('wide/empty'));
  await agree(path('wide'));
});

test('a directory: a symbolic link is left out, and said so', async () => {
  await write(path('linked/file'), 'a file');
  await write(path('plain/linked/file'), 'a file');
  await symlink('file', path('linked/link'));
  const said = spawnSync(crust, ['file', 'add', '--only-hash', '--json', path('linked')], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(said.stderr, `${path('linked/link')} is no file and left out\n`);
  assert.equal(JSON.parse(said.stdout).cid, await kubo.run('add', '-Q', '-r', '--only-hash', path('plain/linked')));
});
