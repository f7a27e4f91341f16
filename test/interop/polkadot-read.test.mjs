// What @polkadot/api reads from the node: metadata, constants, storage, events,
// runtime calls, subscriptions, proofs.
import assert from 'node:assert/strict';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { Metadata, TypeRegistry } from '@polkadot/types';
import { hexToU8a, u8aToHex, u8aConcat, stringToU8a } from '@polkadot/util';
import { suite, within } from './lib/judge.mjs';
import { rpcHTTP, until } from './lib/node.mjs';
import { readProven } from './lib/proof.mjs';

const judge = suite(async (node) => {
  const api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(node.ws), noInitWarn: true }));
  const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
  return { api, alice: keyring.addFromUri('//Alice'), bob: keyring.addFromUri('//Bob'), nobody: keyring.addFromUri('//Nobody//Here') };
}, ({ api }) => api?.disconnect());

const hex = /^0x[0-9a-f]*$/;

judge('connects and agrees on genesis, chain and properties', async ({ api, node }) => {
  assert.equal(api.genesisHash.toHex(), await node.call('chain_getBlockHash', 0));
  assert.equal(api.registry.chainSS58, 66);
  assert.deepEqual(api.registry.chainDecimals, [12]);
  assert.deepEqual(api.registry.chainTokens, ['CRU']);
  assert.equal(api.runtimeVersion.specName.toString(), 'crust');
  assert.equal(api.runtimeVersion.stateVersion?.toNumber?.() ?? 1, 1);
  const health = await api.rpc.system.health();
  assert.equal(health.isSyncing.isTrue, false);
  assert.ok((await api.rpc.system.chain()).length > 0);
  assert.ok((await api.rpc.system.name()).length > 0);
  assert.ok((await api.rpc.system.version()).length > 0);
  assert.equal((await api.rpc.system.chainType()).type, 'Development');
});

judge('lists every method it answers, and only those', async ({ node }) => {
  const { methods } = await node.call('rpc_methods');
  const needed = ['chain_getBlock', 'chain_getBlockHash', 'chain_getFinalizedHead', 'chain_getHeader', 'chain_subscribeNewHeads',
    'chain_subscribeFinalizedHeads', 'chain_subscribeAllHeads', 'state_call', 'state_getMetadata', 'state_getRuntimeVersion',
    'state_getStorage', 'state_getStorageHash', 'state_getStorageSize', 'state_getKeysPaged', 'state_queryStorageAt',
    'state_subscribeStorage', 'state_subscribeRuntimeVersion', 'state_getReadProof', 'author_submitExtrinsic',
    'author_submitAndWatchExtrinsic', 'author_pendingExtrinsics', 'system_accountNextIndex', 'system_health',
    'system_chain', 'system_properties', 'system_syncState', 'payment_queryInfo', 'payment_queryFeeDetails',
    'chainHead_v1_follow', 'transaction_v1_broadcast', 'chainSpec_v1_genesisHash'];
  assert.deepEqual(needed.filter((m) => !methods.includes(m)), []);
  for (const method of ['no_such_method', 'state_getMetadataX']) {
    await assert.rejects(node.call(method), { code: -32601 });
  }
  for (const [method, ...params] of [['chain_getBlockHash', 'x'], ['state_getStorage'], ['state_getStorage', '0xzz'], ['chain_getHeader', '0x12']]) {
    await assert.rejects(node.call(method, ...params), { code: -32602 }, method);
  }
});

judge('decodes metadata V14 and V15', async ({ api, node }) => {
  const v14 = await node.call('state_getMetadata');
  assert.equal(v14.slice(0, 12), '0x6d6574610e');
  const decoded14 = new Metadata(new TypeRegistry(), v14);
  assert.equal(decoded14.version, 14);
  assert.equal(u8aToHex(decoded14.toU8a()), v14, 'V14 encodes back to the same bytes');
  assert.deepEqual((await api.call.metadata.metadataVersions()).toJSON(), [14, 15]);
  const v15 = (await api.call.metadata.metadataAtVersion(15)).unwrap();
  const decoded15 = new Metadata(new TypeRegistry(), u8aToHex(v15.toU8a(true)));
  assert.equal(decoded15.version, 15);
  assert.equal(u8aToHex(decoded15.toU8a()), u8aToHex(v15.toU8a(true)), 'V15 encodes back to the same bytes');
  assert.ok((await api.call.metadata.metadataAtVersion(13)).isNone);
  assert.equal(api.runtimeMetadata.version, 15, 'the client chose the newest');
  const names = (m) => m.pallets.map((p) => `${p.index} ${p.name}`);
  assert.deepEqual(names(decoded14.asLatest), names(decoded15.asLatest));
  assert.deepEqual(decoded15.asV15.extrinsic.signedExtensions.map((e) => e.identifier.toString()), [
    'CheckNonZeroSender', 'CheckSpecVersion', 'CheckTxVersion', 'CheckGenesis', 'CheckMortality', 'CheckNonce', 'CheckWeight',
    'ChargeTransactionPayment']);
  assert.equal(api.extrinsicVersion, 4);
});

judge('the client tells the types apart and finds calls and events', async ({ api }) => {
  const { lookup } = api.registry;
  const { callType, eventType } = api.runtimeMetadata.asV15.outerEnums;
  assert.equal(lookup.getTypeDef(callType).type, 'Call');
  assert.equal(lookup.getTypeDef(eventType).type, 'Event');
  const byPath = new Map(); // types of one path differ by their parameters, or clients take them for one
  for (const { id, type } of lookup.types) {
    const path = type.path.map(String).join('::');
    if (path && path !== 'Option' && path !== 'Result') byPath.set(path, [...byPath.get(path) ?? [], { id, params: type.params.toHex() }]);
  }
  const alike = [...byPath].filter(([, list]) => new Set(list.map((t) => t.params)).size < list.length).map(([path]) => path);
  assert.deepEqual(alike, []);
});

judge('explains everything: every item of the metadata has documentation', async ({ api }) => {
  const bare = [];
  for (const pallet of api.runtimeMetadata.asLatest.pallets) {
    const name = pallet.name.toString();
    for (const constant of pallet.constants) if (constant.docs.length === 0) bare.push(`${name}.${constant.name}`);
    if (pallet.storage.isSome) for (const item of pallet.storage.unwrap().items) if (item.docs.length === 0) bare.push(`${name}.${item.name}`);
    for (const part of ['calls', 'events', 'errors']) {
      if (pallet[part].isNone) continue;
      for (const variant of api.registry.lookup.getSiType(pallet[part].unwrap().type).def.asVariant.variants) {
        if (variant.docs.length === 0) bare.push(`${name}.${variant.name}`);
      }
    }
  }
  assert.deepEqual(bare, []);
});

judge('reads constants', async ({ api }) => {
  const { consts } = api;
  assert.equal(consts.system.blockHashCount.toNumber(), 2400);
  assert.equal(consts.system.ss58Prefix.toNumber(), 66);
  assert.equal(consts.balances.existentialDeposit.toBigInt(), 100_000_000n);
  assert.equal(consts.timestamp.minimumPeriod.toNumber(), 500);
  assert.equal(consts.babe.expectedBlockTime.toNumber(), 1000);
  assert.equal(consts.babe.epochDuration.toNumber(), 20);
  assert.ok(consts.system.blockWeights.maxBlock.refTime.toBigInt() > 0n);
  assert.ok(consts.system.blockLength.max.normal.toNumber() > 0);
  assert.equal(consts.system.version.specName.toString(), 'crust');
  for (const [pallet, items] of Object.entries(consts)) {
    for (const [name, value] of Object.entries(items)) {
      const type = api.registry.createTypeUnsafe(value.toRawType(), [value.toU8a()]);
      assert.equal(type.toHex(), value.toHex(), `${pallet}.${name}`);
    }
  }
});

judge('queries storage: single, multi, entries, pages, sizes, at a block', async ({ api, node, alice, bob, nobody }) => {
  const { system } = api.query;
  const account = await system.account(alice.address);
  assert.ok(account.data.free.toBigInt() > 1_000_000_000_000n);
  assert.ok(account.providers.toNumber() >= 1);
  assert.equal((await system.account(nobody.address)).data.free.toBigInt(), 0n);
  const [a, b] = await system.account.multi([alice.address, bob.address]);
  assert.equal(a.data.free.toBigInt(), account.data.free.toBigInt());
  assert.ok(b.data.free.toBigInt() > 0n);
  const [number, parent] = await api.queryMulti([system.number, system.parentHash]);
  assert.ok(number.toNumber() >= 1);
  assert.match(parent.toHex(), hex);

  const at = await api.at(await api.rpc.chain.getFinalizedHead());
  const entries = await at.query.system.account.entries();
  const addresses = entries.map(([key]) => key.args[0].toString());
  assert.ok(addresses.includes(alice.address) && addresses.includes(bob.address));
  assert.equal(new Set(addresses).size, addresses.length);
  const keys = await at.query.system.account.keys();
  assert.deepEqual(keys.map((k) => k.toHex()), entries.map(([k]) => k.toHex()));
  assert.deepEqual(keys.map((k) => k.toHex()), keys.map((k) => k.toHex()).toSorted(), 'keys come in order');
  const paged = [];
  for (let startKey; ;) {
    const page = await at.query.system.account.keysPaged({ args: [], pageSize: 2, startKey });
    if (page.length === 0) break;
    assert.ok(page.length <= 2);
    paged.push(...page.map((k) => k.toHex()));
    startKey = page.at(-1).toHex();
  }
  assert.deepEqual(paged, keys.map((k) => k.toHex()));
  const pagedEntries = await at.query.system.account.entriesPaged({ args: [], pageSize: 100 });
  assert.equal(pagedEntries.length, Math.min(100, entries.length));
  assert.ok((await at.query.system.account.size(alice.address)).toNumber() === 80);
  const key = system.account.key(alice.address);
  const head = (await api.rpc.chain.getFinalizedHead()).toHex();
  const raw = await node.call('state_getStorage', key, head);
  const hash = await node.call('state_getStorageHash', key, head);
  assert.equal(hash, api.registry.hash(hexToU8a(raw)).toHex());
  assert.equal(await node.call('state_getStorageSize', key, head), 80);
  assert.equal(await node.call('state_getStorage', key + '00', head), null);
  const [set] = await node.call('state_queryStorageAt', [key, key + '00'], head);
  assert.deepEqual(set, { block: head, changes: [[key, raw], [key + '00', null]] });
  await assert.rejects(node.call('state_getStorage', key, '0x' + '11'.repeat(32)), 'a block that does not exist');
  await assert.rejects(node.call('state_getKeysPaged', '0x', 1001), 'pages are bounded');
});

judge('decodes every value in the state, and encodes it back to the same bytes', async ({ api, node }) => {
  const at = (await api.rpc.chain.getFinalizedHead()).toHex();
  const known = new Map();
  for (const pallet of Object.values(api.query)) {
    for (const entry of Object.values(pallet)) known.set(entry.keyPrefix(), entry);
  }
  const wellKnown = [':code', ':heappages', ':extrinsic_index', ':grandpa_authorities'].map((k) => u8aToHex(stringToU8a(k)));
  let count = 0;
  for (let start = null; ;) {
    const keys = await node.call('state_getKeysPaged', '0x', 500, start, at);
    if (keys.length === 0) break;
    start = keys.at(-1);
    const [{ changes }] = await node.call('state_queryStorageAt', keys, at);
    for (const [key, value] of changes) {
      if (wellKnown.includes(key) || (key.startsWith(u8aToHex(stringToU8a(':'))) && key.length < 66)) continue;
      const entry = known.get(key.slice(0, 66));
      if (!entry) {
        assert.equal(key.slice(34), '4e7b9012096b41c4eb3aaf947f6ea429', `a key no pallet declares: ${key}`); // :__STORAGE_VERSION__:
        continue;
      }
      const type = api.registry.createLookupType(entry.creator.meta.type.isPlain ? entry.creator.meta.type.asPlain : entry.creator.meta.type.asMap.value);
      const decoded = api.registry.createTypeUnsafe(type, [hexToU8a(value)]);
      assert.equal(u8aToHex(decoded.toU8a()), value, `${entry.creator.section}.${entry.creator.method}`);
      if (entry.creator.meta.type.isMap) {
        const storageKey = api.registry.createTypeUnsafe('StorageKey', [key]);
        storageKey.setMeta(entry.creator.meta, entry.creator.section, entry.creator.method);
        const args = storageKey.args;
        if (args.length === entry.creator.meta.type.asMap.hashers.length) assert.equal(entry.key(...args), key);
      }
      count++;
    }
  }
  assert.ok(count > 20, `only ${count} values`);
});

judge('decodes the default of every storage item', async ({ api }) => {
  for (const pallet of api.runtimeMetadata.asLatest.pallets) {
    if (pallet.storage.isNone) continue;
    for (const item of pallet.storage.unwrap().items) {
      const id = item.type.isPlain ? item.type.asPlain : item.type.asMap.value;
      const bytes = item.fallback.toU8a(true);
      const where = `${pallet.name}.${item.name}`;
      if (item.modifier.isOptional) {
        assert.equal(u8aToHex(bytes), '0x00', where);
        continue;
      }
      assert.equal(u8aToHex(api.registry.createTypeUnsafe(api.registry.createLookupType(id), [bytes]).toU8a()), u8aToHex(bytes), where);
    }
  }
});

judge('subscribes to storage: the first value at once, then the changes', async ({ api }) => {
  const seen = [];
  const start = Date.now();
  const stop = await new Promise((resolve, reject) => {
    let unsubscribe;
    api.query.timestamp.now((value) => {
      seen.push(value.toNumber());
      if (seen.length === 3) until('the subscription', 30_000, () => unsubscribe).then(resolve, reject);
    }).then((u) => { unsubscribe = u; }, reject);
  });
  stop();
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(Math.abs(seen[0] - start) < 60_000, 'the chain tells the time');
});

judge('reports the events of every block', async ({ api }) => {
  const head = (await api.rpc.chain.getFinalizedHead()).toHex();
  const top = (await api.rpc.chain.getHeader(head)).number.toNumber();
  for (let number = 1; number <= top; number++) {
    const hash = await api.rpc.chain.getBlockHash(number);
    const at = await api.at(hash);
    const raw = await api.rpc.state.getStorage(api.query.system.events.key(), hash);
    const events = await at.query.system.events();
    assert.ok(events.length >= 1, `block ${number} has events`);
    const { block } = await api.rpc.chain.getBlock(hash);
    assert.equal(block.header.number.toNumber(), number);
    for (const { phase, event } of events) {
      assert.ok(event.section && event.method);
      if (phase.isApplyExtrinsic) assert.ok(phase.asApplyExtrinsic.toNumber() < block.extrinsics.length);
    }
    for (const index of block.extrinsics.keys()) {
      const own = events.filter(({ phase }) => phase.isApplyExtrinsic && phase.asApplyExtrinsic.eqn(index));
      assert.equal(own.filter(({ event }) => ['ExtrinsicSuccess', 'ExtrinsicFailed'].includes(event.method)).length, 1);
    }
    assert.equal(u8aToHex(events.toU8a()), raw.isSome === undefined ? raw.toHex() : u8aToHex(raw.unwrap().toU8a(true)), `events of block ${number}`);
  }
});

judge('shows blocks: headers, digests, bodies, hashes', async ({ api, node }) => {
  const { block } = await api.rpc.chain.getBlock();
  const { header } = block;
  assert.equal(header.hash.toHex(), await node.call('chain_getBlockHash', header.number.toNumber()));
  assert.equal((await api.rpc.chain.getHeader(header.parentHash)).number.toNumber(), header.number.toNumber() - 1);
  const kinds = header.digest.logs.map((log) => log.type);
  assert.equal(kinds[0], 'PreRuntime');
  assert.equal(kinds.at(-1), 'Seal');
  assert.equal(header.digest.logs.at(-1).asSeal[0].toString(), 'BABE');
  const times = block.extrinsics.filter((x) => x.method.section === 'timestamp' && x.method.method === 'set');
  assert.equal(times.length, 1);
  assert.equal(u8aToHex(block.toU8a()), u8aToHex(api.registry.createType('Block', block.toU8a()).toU8a()));
  const derived = await within(60_000, 'derive', api.derive.chain.getHeader(header.hash));
  assert.ok(derived.author, 'the author follows from the digest');
  assert.equal(await node.call('chain_getBlockHash', 4_000_000_000), null);
  const two = await node.call('chain_getBlockHash', [0, 1]);
  assert.equal(two.length, 2);
  assert.equal(await node.call('chain_getBlockHash', '0x1'), two[1], 'PAPI asks in hexadecimal');
  assert.equal(await node.call('chain_getBlock', '0x' + '22'.repeat(32)), null);
  assert.equal(await node.call('chain_getHeader', '0x' + '22'.repeat(32)), null);
});

judge('answers runtime calls with types from the metadata', async ({ api, node, alice }) => {
  assert.equal((await api.call.core.version()).specName.toString(), 'crust');
  assert.ok((await api.call.accountNonceApi.accountNonce(alice.address)).toNumber() >= 0);
  const config = await api.call.babeApi.configuration();
  assert.equal(config.slotDuration.toNumber(), 1000);
  assert.equal(config.epochLength.toNumber(), 20);
  assert.deepEqual(config.c.toJSON(), [1, 4]);
  assert.ok(config.authorities.length >= 1);
  assert.ok((await api.call.babeApi.currentEpoch()).duration.toNumber() === 20);
  assert.ok((await api.call.grandpaApi.grandpaAuthorities()).length >= 1);
  assert.ok((await api.call.grandpaApi.currentSetId()).toNumber() >= 0);
  const tx = api.tx.system.remark('0x00');
  await tx.signAsync(alice);
  const at = await api.at(await api.rpc.chain.getBlockHash());
  const info = await at.call.transactionPaymentApi.queryInfo(tx.toU8a(), tx.encodedLength);
  assert.ok(info.partialFee.toBigInt() > 0n);
  const fee = await at.call.transactionPaymentApi.queryFeeDetails(tx.toU8a(), tx.encodedLength);
  const { baseFee, lenFee, adjustedWeightFee } = fee.inclusionFee.unwrap();
  assert.equal(baseFee.toBigInt() + lenFee.toBigInt() + adjustedWeightFee.toBigInt(), info.partialFee.toBigInt());
  const valid = await api.call.taggedTransactionQueue.validateTransaction('External', tx.toU8a(), await api.rpc.chain.getBlockHash());
  assert.ok(valid.isOk && valid.asOk.provides.length === 1);
  await assert.rejects(api.rpc.state.call('No_such_function', '0x'));
  const bare = await Promise.all(['', '0x'].map((empty) => node.call('state_call', 'Metadata_metadata_versions', empty)));
  assert.equal(bare[0], bare[1], 'PAPI writes no arguments as an empty string');
  const names = api.runtimeMetadata.asV15.apis.map((a) => a.name.toString());
  for (const name of ['Core', 'Metadata', 'AccountNonceApi', 'TaggedTransactionQueue', 'TransactionPaymentApi', 'BabeApi', 'GrandpaApi', 'SessionKeys']) {
    assert.ok(names.includes(name), name);
  }
});

judge('proves what it reads', async ({ api, alice, nobody }) => {
  const head = await api.rpc.chain.getFinalizedHead();
  const { stateRoot } = await api.rpc.chain.getHeader(head);
  const keys = [alice, nobody].map((who) => api.query.system.account.key(who.address));
  keys.push(api.query.system.number.key(), u8aToHex(u8aConcat(hexToU8a(api.query.system.number.key()), [0])), u8aToHex(stringToU8a(':code')));
  const { at, proof } = await api.rpc.state.getReadProof(keys, head);
  assert.equal(at.toHex(), head.toHex());
  const nodes = proof.map((n) => n.toU8a(true));
  for (const key of keys) {
    const value = readProven(stateRoot.toU8a(), nodes, hexToU8a(key));
    const told = await api.rpc.state.getStorage(key, head);
    const raw = told === null || told.isNone ? null : told.toHex();
    assert.equal(value && u8aToHex(value), raw, key);
  }
  const bad = nodes.map((n) => Uint8Array.from(n));
  bad[0][bad[0].length - 1] ^= 1;
  assert.throws(() => { for (const key of keys) readProven(stateRoot.toU8a(), bad, hexToU8a(key)); });
});

judge('announces heads in order: best and finalised', async ({ api }) => {
  for (const method of ['subscribeNewHeads', 'subscribeFinalizedHeads', 'subscribeAllHeads']) {
    const heads = [];
    const stop = await new Promise((resolve, reject) => {
      let unsubscribe;
      api.rpc.chain[method]((header) => {
        heads.push(header);
        if (heads.length >= 5) until('the subscription', 30_000, () => unsubscribe).then(resolve, reject);
      }).then((u) => { unsubscribe = u; }, reject);
    });
    stop();
    const numbers = heads.slice(0, 5).map((h) => h.number.toNumber());
    assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i), method);
    for (let i = 1; i < 5; i++) assert.equal(heads[i].parentHash.toHex(), heads[i - 1].hash.toHex(), method);
  }
});

judge('finality follows the best block', async ({ api }) => {
  await until('finality within 10 blocks of the best', 60_000, async () => {
    const best = (await api.rpc.chain.getHeader()).number.toNumber();
    const final = (await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number.toNumber();
    assert.ok(final <= best);
    return final >= 1 && best - final < 10;
  });
  const first = await api.rpc.chain.getFinalizedHead();
  await until('finality to advance', 60_000, async () => !(await api.rpc.chain.getFinalizedHead()).eq(first));
  assert.equal((await api.rpc.chain.getBlockHash((await api.rpc.chain.getHeader(first)).number.unwrap())).toHex(), first.toHex());
});

judge('answers batches over HTTP and rejects what is not JSON-RPC', async ({ node, api }) => {
  const answers = await rpcHTTP(node.http, [
    { jsonrpc: '2.0', id: 1, method: 'chain_getBlockHash', params: [0] },
    { jsonrpc: '2.0', id: 'two', method: 'system_chain' },
    { jsonrpc: '2.0', id: 3, method: 'no_such_method', params: [] },
    { jsonrpc: '2.0', method: 'system_chain' },
    { nonsense: true },
  ]);
  assert.equal(answers.length, 4, 'a notification has no answer');
  const byId = new Map(answers.map((a) => [a.id, a]));
  assert.equal(byId.get(1).result, api.genesisHash.toHex());
  assert.equal(typeof byId.get('two').result, 'string');
  assert.equal(byId.get(3).error.code, -32601);
  assert.equal(byId.get(null).error.code, -32600);
  assert.equal((await rpcHTTP(node.http, [])).error.code, -32600);
});
