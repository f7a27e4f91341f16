// pinning-service-compliance 1.8.1 against `crust gateway` beside `crust node --dev`.
// It checks bodies by the OpenAPI document of the specification, which it fetches from
// GitHub; PSA_SPEC names a copy of ipfs-pinning-service.yaml for machines that cannot.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { crust, freePort, Process, startNode, until } from '../lib/node.mjs';

const suite = fileURLToPath(new URL('node_modules/@ipfs-shipyard/pinning-service-compliance/dist/', import.meta.url));

test('the compliance suite finds nothing', { timeout: 240_000 }, async (t) => {
  if (process.env.PSA_SPEC) {
    const file = join(suite, 'src/utils/constants.js');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^const specLocation = .*$/m, 'const specLocation = process.env.PSA_SPEC;'));
  }
  await rm(join(suite, 'docs'), { recursive: true, force: true });
  const base = await mkdtemp(join(tmpdir(), 'crust-gateway-'));
  const node = await startNode();
  const port = await freePort();
  const gateway = new Process(crust, ['gateway', '--node-url', node.ws, '--suri', '//Alice', '--base-path', base,
    '--http', `127.0.0.1:${port}`, '--swarm-addr', '/ip4/127.0.0.1/tcp/0', '--prometheus-port', '0']);
  try {
    await until('the gateway', 90_000, async () => gateway.alive() && (await fetch(`http://127.0.0.1:${port}/health`).catch(() => null))?.ok);
    const token = execFileSync(crust, ['gateway', 'token', '--host', `127.0.0.1:${port}`, '--suri', '//Bob'], { encoding: 'utf8' }).trim();
    const judge = new Process(process.execPath, [join(suite, 'src/index.js'), '-s', `http://127.0.0.1:${port}/psa`, token]);
    await until('the suite', 180_000, () => judge.exit);
    // It ends with status 0 whatever it finds.
    const docs = await readdir(join(suite, 'docs')).catch(() => []);
    const report = docs.find((name) => name.endsWith('.json'));
    assert.ok(report, `no report\n${judge.tail()}`);
    const result = JSON.parse(await readFile(join(suite, 'docs', report), 'utf8'));
    t.diagnostic(JSON.stringify(result));
    assert.deepEqual([result.total, result.passed, result.failed, result.success], [9, 9, 0, true], judge.tail());
  } catch (error) {
    t.diagnostic(gateway.tail());
    throw error;
  } finally {
    await gateway.stop();
    await node.stop();
    await rm(base, { recursive: true, force: true });
  }
});
