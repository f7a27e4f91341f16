// PAPI with descriptors generated from the running node, once over the new JSON-RPC
// groups (chainHead_v1 and friends) and once with only the legacy methods.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Keyring } from '@polkadot/api';
import { AccountId, createClient, Enum } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getWsProvider } from 'polkadot-api/ws';
import { WebSocket } from 'ws';
import { suite, within } from './lib/judge.mjs';
import { run, until } from './lib/node.mjs';
import { startProxy } from './lib/proxy.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const unit = 1_000_000_000_000n;
const groups = /^(chainHead|transaction|transactionWatch|chainSpec|archive)_/;

/** descriptors runs PAPI's own generator against the node, without a package
 * manager, and imports what it wrote. */
async function descriptors(node, dir) {
  const papi = ['--import', pathToFileURL(join(here, 'lib', 'websocket.mjs')).href, join(here, 'node_modules', 'polkadot-api', 'bin', 'cli.js')];
  const config = join(dir, 'papi.json');
  await writeFile(join(dir, 'package.json'), '{"name":"papi-descriptors","type":"module"}');
  await run(process.execPath, [...papi, 'add', 'crust', '-w', node.ws, '--skip-codegen', '--config', 'papi.json'], { cwd: dir, timeout: 120_000 });
  const settings = JSON.parse(await readFile(config));
  settings.options = { noDescriptorsPackage: true };
  await writeFile(config, JSON.stringify(settings));
  await run(process.execPath, [...papi, 'generate', '--config', 'papi.json'], { cwd: dir, timeout: 180_000 });
  return import(pathToFileURL(join(dir, settings.descriptorPath ?? '.papi/descriptors', 'dist', 'index.js')));
}

// PAPI signs for an account id: that of an ecdsa key is its hash.
const signerOf = (pair, type) => getPolkadotSigner(pair.addressRaw, type, (input) => pair.sign(input));

const judge = suite(async (node) => {
  await mkdir(join(here, '.tmp'), { recursive: true });
  const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
  const ctx = { dir: await mkdtemp(join(here, '.tmp', 'papi-')), keyring, alice: keyring.addFromUri('//Alice'), open: {} };
  for (const [mode, hide] of [['chainHead', () => false], ['legacy', (method) => groups.test(method)]]) {
    const proxy = await startProxy(node.ws, hide);
    const client = createClient(getWsProvider(proxy.url, { websocketClass: WebSocket }));
    ctx.open[mode] = { proxy, client };
  }
  return ctx;
}, async ({ open, dir }) => {
  for (const { client, proxy } of Object.values(open ?? {})) {
    client.destroy();
    await proxy.stop();
  }
  if (dir) await rm(dir, { recursive: true, force: true });
});

judge('generates typed descriptors from the node', async (ctx) => {
  ctx.crust = (await descriptors(ctx.node, ctx.dir)).crust;
  assert.ok(ctx.crust.descriptors, 'the generator knows the chain');
}, 320_000);

for (const mode of ['chainHead', 'legacy']) {
  const pick = ({ open, crust }) => {
    assert.ok(crust, 'descriptors were generated');
    return { ...open[mode], api: open[mode].client.getTypedApi(crust) };
  };

  judge(`${mode}: follows blocks in order and to finality`, async (ctx) => {
    const { client } = pick(ctx);
    const seen = [], releases = [];
    await within(100_000, 'five finalised blocks', new Promise((resolve, reject) => {
      const subscription = client.finalizedBlock$.subscribe({
        next: (block) => {
          seen.push(block);
          releases.push(client.hodlBlock(block.hash));
          if (seen.length === 5) setTimeout(() => { subscription.unsubscribe(); resolve(); });
        },
        error: reject,
      });
    }));
    for (let i = 1; i < seen.length; i++) {
      assert.equal(seen[i].number, seen[i - 1].number + 1);
      assert.equal(seen[i].parent, seen[i - 1].hash);
    }
    const [best, ...rest] = await client.getBestBlocks();
    assert.ok(best.number >= seen.at(-1).number);
    assert.equal(rest.length, best.number - (rest.at(-1)?.number ?? best.number));
    const body = await client.getBlockBody(seen[0].hash);
    assert.ok(body.length >= 1);
    const header = await client.getBlockHeader(seen[1].hash);
    assert.equal(header.parentHash, seen[0].hash);
    for (const release of releases) release();
    const data = await client.getChainSpecData();
    assert.equal(data.genesisHash, await ctx.node.call('chain_getBlockHash', 0));
    assert.equal(data.properties.ss58Format, 66);
  });

  judge(`${mode}: reads constants, storage and runtime calls with their types`, async (ctx) => {
    const { api } = pick(ctx);
    const { alice } = ctx;
    assert.equal(await api.constants.System.SS58Prefix(), 66);
    assert.equal(await api.constants.System.BlockHashCount(), 2400);
    assert.equal(await api.constants.Balances.ExistentialDeposit(), 100_000_000n);
    const account = await api.query.System.Account.getValue(alice.address);
    assert.ok(account.data.free > unit);
    const [one, none] = await api.query.System.Account.getValues([[alice.address], [AccountId(66).dec(new Uint8Array(32).fill(9))]]);
    assert.equal(one.providers, account.providers);
    assert.equal(none.data.free, 0n);
    const entries = await api.query.System.Account.getEntries();
    assert.ok(entries.some(({ keyArgs }) => keyArgs[0] === alice.address));
    assert.ok(await api.query.System.Number.getValue({ at: 'best' }) >= 1);
    assert.equal(typeof await api.apis.AccountNonceApi.account_nonce(alice.address), 'number');
    const config = await api.apis.BabeApi.configuration();
    assert.equal(config.slot_duration, 1000n);
    assert.equal(config.epoch_length, 20n);
    assert.ok((await api.apis.Core.version()).spec_version >= 1);
  });

  judge(`${mode}: watches storage change`, async (ctx) => {
    const { api } = pick(ctx);
    const seen = [];
    await within(100_000, 'three values', new Promise((resolve, reject) => {
      const subscription = api.query.System.Number.watchValue({ at: 'best' }).subscribe({
        next: (update) => {
          seen.push(typeof update === 'object' ? update.value : update);
          if (seen.length === 3) setTimeout(() => { subscription.unsubscribe(); resolve(); });
        },
        error: reject,
      });
    }));
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  });

  for (const [type, kind] of [['sr25519', 'Sr25519'], ['ed25519', 'Ed25519'], ['ecdsa', 'Ecdsa']]) {
    judge(`${mode}: signs with ${type}, submits and watches to finality`, async (ctx) => {
      const { api } = pick(ctx);
      const pair = ctx.keyring.addFromUri(`//Papi//${mode}//${type}`, {}, type);
      const fund = await api.tx.Balances.transfer_keep_alive({ dest: Enum('Id', pair.address), value: 10n * unit })
        .signAndSubmit(signerOf(ctx.alice, 'Sr25519'));
      assert.ok(fund.ok, JSON.stringify(fund.dispatchError));
      const target = ctx.keyring.addFromUri(`//Papi//${mode}//${type}//to`);
      const tx = api.tx.Balances.transfer_keep_alive({ dest: Enum('Id', target.address), value: unit });
      const signer = signerOf(pair, kind);
      assert.ok(await tx.getEstimatedFees(target.address) > 0n);
      const events = [];
      await within(100_000, 'finality', new Promise((resolve, reject) => {
        tx.signSubmitAndWatch(signer).subscribe({ next: (event) => events.push(event), error: reject, complete: resolve });
      }));
      const kinds = events.map((e) => e.type);
      assert.equal(kinds[0], 'signed');
      assert.ok(kinds.includes('broadcasted') && kinds.includes('txBestBlocksState'), kinds.join());
      const final = events.at(-1);
      assert.equal(final.type, 'finalized');
      assert.ok(final.ok, JSON.stringify(final.dispatchError));
      const transfer = final.events.find((e) => e.type === 'Balances' && e.value.type === 'Transfer');
      assert.deepEqual(transfer.value.value, { from: pair.address, to: target.address, amount: unit });
      assert.equal((await api.query.System.Account.getValue(target.address)).data.free, unit);
    }, 300_000);
  }

  judge(`${mode}: learns why a transaction is refused`, async (ctx) => {
    const { api } = pick(ctx);
    const poor = ctx.keyring.addFromUri(`//Papi//Poor//${mode}`);
    const tx = api.tx.System.remark({ remark: new Uint8Array([1]) });
    await assert.rejects(tx.signAndSubmit(signerOf(poor, 'Sr25519')), /Payment/);
    const failing = await api.tx.Balances.transfer_keep_alive({ dest: Enum('Id', poor.address), value: 10n ** 30n })
      .signAndSubmit(signerOf(ctx.alice, 'Sr25519'));
    assert.equal(failing.ok, false);
    assert.ok(failing.dispatchError.type);
  }, 300_000);

  judge(`${mode}: used the methods it was meant to use`, async (ctx) => {
    const { proxy } = pick(ctx);
    const used = [...proxy.called];
    if (mode === 'chainHead') {
      for (const method of ['chainHead_v1_follow', 'chainHead_v1_storage', 'chainHead_v1_call', 'chainHead_v1_unpin', 'transaction_v1_broadcast']) {
        assert.ok(used.includes(method), `${method} in ${used}`);
      }
    } else {
      assert.deepEqual(used.filter((m) => groups.test(m)), [], 'no hidden method was tried');
      for (const method of ['state_call', 'chain_subscribeAllHeads', 'author_submitExtrinsic']) {
        assert.ok(used.includes(method) || method.startsWith('author') && used.includes('author_submitAndWatchExtrinsic'), `${method} in ${used}`);
      }
    }
  });
}

judge('a third follow on one connection is refused, and a stopped one says so', async ({ node }) => {
  const socket = new WebSocket(node.ws);
  const answers = [];
  socket.on('message', (data) => answers.push(JSON.parse(data.toString())));
  await new Promise((resolve, reject) => { socket.on('open', resolve); socket.on('error', reject); });
  try {
    const reply = (id) => answers.find((a) => a.id === id);
    for (let id = 1; id <= 3; id++) { // one after the other: calls on one connection run side by side
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'chainHead_v1_follow', params: [false] }));
      await until(`answer ${id}`, 30_000, () => reply(id));
    }
    assert.equal(typeof reply(1).result, 'string');
    assert.equal(typeof reply(2).result, 'string');
    assert.equal(reply(3).error.code, -32800);
    const first = (event) => answers.find((a) => a.params?.subscription === reply(1).result && a.params.result.event === event);
    const initialized = await until('initialized', 30_000, () => first('initialized'));
    const pinned = initialized.params.result.finalizedBlockHashes.at(-1);
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 4, method: 'chainHead_v1_unpin', params: [reply(1).result, pinned] }));
    await until('unpin', 30_000, () => reply(4));
    assert.equal(reply(4).error, undefined);
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'chainHead_v1_header', params: [reply(1).result, pinned] }));
    await until('an answer', 30_000, () => reply(5));
    assert.equal(reply(5).error.code, -32801, 'an unpinned block is gone');
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 6, method: 'chainHead_v1_unfollow', params: [reply(1).result] }));
    await until('unfollow', 30_000, () => reply(6));
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'chainHead_v1_follow', params: [true] }));
    await until('a new follow', 30_000, () => reply(7));
    assert.equal(typeof reply(7).result, 'string');
  } finally {
    socket.terminate();
  }
});
