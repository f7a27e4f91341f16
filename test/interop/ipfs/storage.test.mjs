// Users who have kubo or helia and no node of ours: kubo gives a file to storage nodes,
// forgets it and gets it back; helia reads it both ways; kubo pins through a gateway; and
// archives go to and fro. The network is `crust devnet`; kubo talks to it by Bitswap and
// HTTP on this machine alone. One kubo is in the directory (DHT) of this machine's network,
// which it knows one storage node of; the others go without.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { startDevnet } from '../lib/devnet.mjs';
import { Process, crust, freePorts, run, sleep, until } from '../lib/node.mjs';
import { MiB, same, write } from './lib/files.mjs';
import { Kubo, lines } from './lib/kubo.mjs';

// Helia needs Node.js 22, which is a dependency like others.
const node22 = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`);
const helia = fileURLToPath(new URL('lib/helia.mjs', import.meta.url));

const liveMs = 240_000; // two report slots of 20 blocks, and what a slow machine needs
const user = ['--suri', '//User', '--yes', '--wait', 'inblock'];
const ctx = {};

before(async () => {
  ctx.dir = await mkdtemp(join(tmpdir(), 'crust-ipfs-'));
  await mkdir(path('got'));
  ctx.kubo = new Kubo(path('kubo'));
  await ctx.kubo.init();
  await ctx.kubo.start();
  ctx.net = await startDevnet(2, { storage: 2, gateways: 1 });
  [ctx.first, ctx.second] = ctx.net.file.storage;
  [ctx.gateway] = ctx.net.file.gateways;
  ctx.listed = new Kubo(path('listed'));
  await ctx.listed.init({ 'Routing.Type': 'dht', 'Routing.LoopbackAddressesOnLanDHT': true, 'Provide.Enabled': true, Bootstrap: ctx.first.swarm });
  await ctx.listed.start();
}, { timeout: 300_000 });

after(async () => {
  const ended = await Promise.allSettled([ctx.kubo?.stop(), ctx.listed?.stop(), ctx.net?.stop()]);
  await rm(ctx.dir, { recursive: true, force: true });
  const failed = ended.find(({ reason }) => reason);
  if (failed) throw failed.reason;
}, { timeout: 90_000 });

const path = (...names) => join(ctx.dir, ...names);
let fetched = 0;
const fresh = () => path('got', String(fetched++));

/** judge is a test that shows the ends of all logs if it fails. Those behind it need what it did, and fail at once. */
function judge(name, timeout, body) {
  test(name, { timeout }, async (t) => {
    assert.ok(!ctx.unfinished, `not begun, because this failed: ${ctx.unfinished}`);
    ctx.unfinished = name;
    try {
      await body(t);
      ctx.unfinished = null;
    } catch (error) {
      t.diagnostic(`${ctx.kubo?.daemon?.tail()}\n${await ctx.net?.tails()}`);
      throw error;
    }
  });
}

/** command runs crust against the first validator. */
const command = (...args) => run(crust, args, { env: { ...process.env, CRUST_URL: ctx.net.validators[0].rpc }, timeout: 60_000, killSignal: 'SIGKILL' });
const status = async (cid) => JSON.parse(await command('file', 'status', cid, '--json'));

/** order gives a graph that kubo has to the storage nodes. */
async function order(cid) {
  await command('file', 'order', cid, String(await ctx.kubo.size(cid)), '--memo', ctx.kubo.address, ...user);
}

/** live waits until a file is proven by both storage nodes. */
async function live(cid) {
  return until(`${cid} to be live twice`, liveMs, async () => {
    const now = await status(cid);
    return now.live === 2 && now;
  });
}

const idOf = (peer) => peer.swarm[0].split('/p2p/')[1];

/** got asks kubo for a graph, and only this peer is there to give it. */
async function got(cid, peer) {
  const { kubo } = ctx;
  await kubo.run('swarm', 'connect', peer.swarm[0]);
  const before = (await kubo.json('bitswap', 'ledger', idOf(peer))).Recv;
  const out = fresh();
  await kubo.run('get', '-o', out, `/ipfs/${cid}`);
  const received = (await kubo.json('bitswap', 'ledger', idOf(peer))).Recv - before;
  return { out, received };
}

/** stages polls the status of a pin, and returns each that it has had until one of the last. */
async function stages(cid, seen, until) {
  const end = Date.now() + liveMs;
  while (!until.includes(seen.at(-1))) {
    assert.ok(Date.now() < end, `${cid} is still ${seen}`);
    await sleep(200);
    const list = await pins('--cid', cid);
    assert.equal(list.length, 1, JSON.stringify(list));
    if (list[0].Status !== seen.at(-1)) seen.push(list[0].Status);
  }
  return seen;
}

/** pins is what kubo lists of the service. */
async function pins(...filter) {
  return lines(await ctx.kubo.run('pin', 'remote', 'ls', '--service=crust', '--status=queued,pinning,pinned,failed', ...filter, '--enc=json')).map((line) => JSON.parse(line));
}

judge('kubo adds and pins remotely; crust sizes files as kubo does; storage nodes fetch, seal and prove', 400_000, async (t) => {
  const { kubo } = ctx;
  await write(path('big'), 20 * MiB + 1);
  for (const [name, content] of Object.entries({ 'index.html': '<p>hello', 'img/photo.jpg': MiB, 'img/ü 日本': 300, '.well-known/x': 'hidden', empty: '' })) await write(path('site', name), content);
  await write(path('pinned'), 3 * MiB);
  // Leaves that are raw and CIDs of version 1, and the other way round.
  ctx.big = await kubo.run('add', '-Q', '--cid-version=1', '--raw-leaves', path('big'));
  ctx.site = await kubo.run('add', '-Q', '-r', '-H', path('site'));
  ctx.pinned = await kubo.run('add', '-Q', path('pinned'));
  const ours = JSON.parse(await command('file', 'add', path('site'), '--only-hash', '--json'));
  assert.deepEqual([ours.cid, ours.size], [ctx.site, await kubo.size(ctx.site)]);

  await kubo.run('pin', 'remote', 'service', 'add', 'crust', ctx.gateway.psa, ctx.gateway.token);
  const { Status } = await kubo.json('pin', 'remote', 'add', '--service=crust', '--name=a pin', '--background', ctx.pinned);
  await order(ctx.big);
  assert.equal((await status(ctx.big)).stage, 'ordered'); // now: it is reported within a slot
  await order(ctx.site);
  // Nobody says where this one is.
  ctx.found = await ctx.listed.run('add', '-Q', await write(path('found'), 2 * MiB));
  await until('kubo to be in the directory', 60_000, () => ctx.listed.run('routing', 'provide', ctx.found).then(() => true, () => false));
  await command('file', 'order', ctx.found, String(await ctx.listed.size(ctx.found)), ...user);

  const seen = await stages(ctx.pinned, [Status], ['pinned', 'failed']);
  t.diagnostic(`the pin was ${seen.join(', ')}`);
  assert.deepEqual(seen, ['queued', 'pinning', 'pinned']);
  assert.ok((await status(ctx.pinned)).live >= 1, 'pinned, and not live on the chain');
  for (const [cid, source] of [[ctx.big, kubo], [ctx.site, kubo], [ctx.found, ctx.listed]]) {
    const { size, holders } = await live(cid);
    assert.equal(size, await source.size(cid), 'what storage nodes measured');
    assert.equal(holders.length, 2);
  }
});

judge('kubo forgets, and gets back from each storage node by Bitswap', 180_000, async () => {
  const { kubo } = ctx;
  for (const [cid, name, peer] of [[ctx.big, 'big', ctx.first], [ctx.site, 'site', ctx.second]]) {
    const size = await kubo.size(cid);
    await kubo.forget(cid);
    const { out, received } = await got(cid, peer);
    await same(out, path(name));
    assert.ok(received >= size * 0.99, `${received} bytes came from ${peer.name}, of ${size}`);
    await kubo.run('pin', 'add', cid);
  }
});

judge('another kubo, which knows nobody, finds the storage nodes through one of them', 180_000, async () => {
  const other = await new Kubo(path('other')).init({ 'Routing.Type': 'delegated', 'Routing.DelegatedRouters': [`${ctx.first.gateway}/routing/v1/providers`] });
  await other.start();
  try {
    const found = lines(await other.run('routing', 'findprovs', ctx.site));
    assert.deepEqual(found.sort(), [ctx.first, ctx.second].map(idOf).sort());
    const out = fresh();
    await other.run('get', '-o', out, `/ipfs/${ctx.site}`);
    await same(out, path('site'));
  } finally {
    await other.stop();
  }
});

judge('a kubo in the directory gets files by their CIDs alone, from who announces them', 180_000, async () => {
  const { listed } = ctx;
  await listed.forget(ctx.found);
  await listed.run('swarm', 'connect', ctx.first.swarm[0]);
  const nodes = [ctx.first, ctx.second];
  for (const [cid, name, all] of [[ctx.found, 'found', nodes], [ctx.site, 'site', nodes], [ctx.pinned, 'pinned', [...nodes, ctx.gateway]]]) {
    await until(`${cid} to be announced by all`, 90_000, async () => {
      const found = lines(await listed.run('routing', 'findprovs', cid));
      return all.map(idOf).every((id) => found.includes(id));
    });
    const out = fresh();
    await listed.run('get', '-o', out, `/ipfs/${cid}`);
    await same(out, path(name));
  }
});

judge('a gateway that is in no directory asks kubo who has a pin that names nobody', 120_000, async () => {
  const { listed } = ctx;
  const cid = await listed.run('add', '-Q', await write(path('asked'), MiB));
  await until('kubo to be in the directory', 40_000, () => listed.run('routing', 'provide', cid).then(() => true, () => false));
  const port = await freePorts(3);
  const http = `http://127.0.0.1:${port}`;
  const gateway = new Process(crust, ['gateway', '--node-url', ctx.net.validators[0].rpc, '--base-path', path('asking'), '--suri', '//Dave', '--swarm-addr', `/ip4/127.0.0.1/tcp/${port + 1}`,
    '--http-port', String(port), '--prometheus-port', String(port + 2), '--router', listed.gateway]);
  try {
    await until('the gateway', 60_000, () => gateway.alive() && fetch(`${http}/health`).then(({ ok }) => ok, () => false));
    const answer = await fetch(`${http}/psa/pins`, { method: 'POST', headers: { authorization: `Bearer ${ctx.gateway.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ cid }) });
    assert.equal(answer.status, 202, await answer.text());
    const block = await until('its content', 60_000, async () => {
      const got = await fetch(`${http}/ipfs/${cid}?format=raw`);
      return got.ok && Buffer.from(await got.arrayBuffer());
    });
    await writeFile(path('root'), block);
    const canonical = (text) => listed.run('cid', 'format', '-v', '1', '-b', 'base32', text);
    assert.equal(await listed.run('block', 'put', '--cid-codec=dag-pb', path('root')).then(canonical), await canonical(cid));
  } catch (error) {
    throw new Error(`${error.message}\n${gateway.tail()}`);
  } finally {
    await gateway.stop();
  }
});

for (const way of ['bitswap', 'http']) {
  judge(`helia reads from a storage node by ${way}`, 240_000, async () => {
    for (const [cid, name, peer] of [[ctx.big, 'big', ctx.second], [ctx.site, 'site', ctx.first]]) {
      const out = fresh();
      await run(node22, [helia, way, cid, way === 'http' ? peer.gateway : peer.swarm[0], out], { timeout: 100_000, killSignal: 'SIGKILL' });
      await same(out, path(name));
    }
  });
}

judge('archives: crust reads from kubo\'s gateway, kubo imports ours', 240_000, async () => {
  const { kubo } = ctx;
  for (const [cid, name, from] of [[ctx.big, 'big', ctx.first.gateway], [ctx.site, 'site', ctx.second.gateway], [ctx.pinned, 'pinned', ctx.gateway.http]]) {
    const ours = fresh();
    await command('file', 'get', cid, '--gateway', kubo.gateway, '-o', ours);
    await same(ours, path(name), 'from kubo\'s gateway');

    await kubo.forget(cid);
    await assert.rejects(command('file', 'get', cid, '--gateway', kubo.gateway, '-o', fresh()), /the gateway does not have the whole file/);
    const answer = await fetch(`${from}/ipfs/${cid}?format=car`, { headers: { accept: 'application/vnd.ipld.car; version=1' }, signal: AbortSignal.timeout(30_000) });
    assert.equal(answer.status, 200);
    const car = fresh();
    await writeFile(car, answer.body);
    const roots = lines(await kubo.run('dag', 'import', '--enc=json', car)).map((line) => JSON.parse(line).Root).filter(Boolean);
    assert.equal(roots.length, 1);
    assert.equal(roots[0].PinErrorMsg, '');
    const theirs = fresh();
    await kubo.run('get', '-o', theirs, `/ipfs/${cid}`);
    await same(theirs, path(name), 'imported from our archive');
  }
});

judge('kubo lists and removes pins; what nobody has stays unpinned', 180_000, async () => {
  const { kubo } = ctx;
  assert.deepEqual((await pins()).map(({ Status, Cid, Name }) => [Status, Cid, Name]), [['pinned', ctx.pinned, 'a pin']]);
  assert.deepEqual(await pins('--name=other'), []);

  const nowhere = await kubo.run('add', '-Q', '--only-hash', await write(path('nowhere'), 100_000));
  const { Status } = await kubo.json('pin', 'remote', 'add', '--service=crust', '--name=nowhere', '--background', nowhere);
  assert.equal(Status, 'queued');
  assert.deepEqual(await stages(nowhere, [Status], ['pinning', 'pinned', 'failed']), ['queued', 'pinning']); // it is looked for
  await sleep(3_000);
  assert.deepEqual((await pins('--cid', nowhere)).map((pin) => pin.Status), ['pinning']);
  await assert.rejects(status(nowhere), /there is no order/);

  const again = await kubo.json('pin', 'remote', 'add', '--service=crust', '--name=again', ctx.pinned); // waits until it is pinned
  assert.equal(again.Status, 'pinned');
  const services = await kubo.json('pin', 'remote', 'service', 'ls', '--stat');
  assert.deepEqual(services.RemoteServices.map(({ Service, Stat }) => [Service, Stat.Status, Stat.PinCount]), [['crust', 'valid', { Queued: 0, Pinning: 1, Pinned: 2, Failed: 0 }]]);

  await kubo.run('pin', 'remote', 'rm', '--service=crust', '--name=nowhere', '--status=pinning');
  assert.deepEqual((await pins()).map(({ Name }) => Name).sort(), ['a pin', 'again']);
  await kubo.run('pin', 'remote', 'rm', '--service=crust', '--cid', ctx.pinned, '--force');
  assert.deepEqual(await pins(), []);
  await kubo.run('pin', 'remote', 'service', 'add', 'wrong', ctx.gateway.psa, `${ctx.gateway.token}x`);
  await assert.rejects(kubo.run('pin', 'remote', 'ls', '--service=wrong'), /401/);
  await kubo.run('pin', 'remote', 'service', 'rm', 'crust');
  await assert.rejects(kubo.run('pin', 'remote', 'ls', '--service=crust'), /service not known/);
});
