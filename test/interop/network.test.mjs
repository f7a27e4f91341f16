// A network of four validators in four processes, judged by smoldot and by clients
// on top of it, while its set of voters changes and its processes are killed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { compactFromU8a, hexToU8a, stringToHex, u8aToHex } from '@polkadot/util';
import { startDevnet } from './lib/devnet.mjs';
import { within } from './lib/judge.mjs';
import { buildLiar, startLiars } from './lib/liar.mjs';
import { changesVoters, decodeHeader, forgetTimers, Light } from './lib/light.mjs';
import { until } from './lib/node.mjs';
import { submitOverSmoldot } from './lib/submit.mjs';
import { send, watched } from './lib/transaction.mjs';

const unit = 1_000_000_000_000n;
const changeMs = 100_000; // two sessions of 20 s, and time
const warpGap = 64; // more, and smoldot does not stall whatever happens: it may between 33 and 64 if voters change
const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
const account = (name) => keyring.addFromUri(`//${name}`);

const ctx = { open: [] };

/** light starts a light client that ends with the suite. */
async function light(bootNodes, transport, withRuntime = false) {
  const client = await Light.open(ctx.net.spec(bootNodes), transport);
  ctx.open.push(() => client.stop());
  await client.follow(withRuntime);
  return client;
}

before(async () => {
  ctx.net = await startDevnet(4);
  const [alice, , , dave] = ctx.net.validators;
  ctx.alice = alice;
  // From genesis on, over one transport each; a gap of 33 blocks would be one for warp sync.
  ctx.lights = {
    tcp: await light(ctx.net.validators.map((v) => v.tcp), 'tcp'),
    ws: await light(ctx.net.validators.map((v) => v.webSocket), 'ws'),
  };
  ctx.api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(alice.rpc), noInitWarn: true }));
  ctx.open.push(() => ctx.api.disconnect());
  await rotate(dave, account('Dave')); // the first change of voters, two sessions from now
  ctx.changedIn = await session();
}, { timeout: 240_000 });

after(async () => {
  const errors = [];
  for (const close of [...ctx.open.reverse(), () => ctx.net?.stop()]) await Promise.resolve(close()).catch((error) => errors.push(error));
  forgetTimers();
  assert.deepEqual(errors, []);
}, { timeout: 90_000 });

/** judge declares one test, beside whose error the logs are shown. */
function judge(name, run, timeout = 180_000) {
  test(name, { timeout }, async (t) => {
    try {
      await run(t);
    } catch (error) {
      t.diagnostic(await ctx.net?.tails() ?? 'no network');
      for (const [transport, client] of Object.entries(ctx.lights ?? {})) t.diagnostic(`${transport} ${client.tail()}`);
      throw error;
    }
  });
}

/** rotate gives a validator new session keys. */
async function rotate(validator, controller) {
  const keys = await validator.call('author_rotateKeys');
  await send(ctx.api.tx.session.setKeys(keys, '0x'), controller);
}

const sudo = (call) => send(ctx.api.tx.sudo.sudo(call), account('Alice'));

const session = async () => (await ctx.api.query.session.currentIndex()).toNumber();

/** setValidators takes a validator out of the set and adds it again, each in a session
 * of its own: two more changes of voters. */
async function setValidators() {
  const { staking } = ctx.api.tx;
  for (const call of [staking.chill(), staking.validate({ fee: 1_000_000_000 })]) {
    const used = ctx.changedIn;
    await until('the next session', changeMs, async () => await session().catch(() => 0) > used); // the best block may be discarded meanwhile
    await send(call, account('Charlie'));
    await sudo(staking.forceNewEra());
    ctx.changedIn = await session();
  }
}

judge('answers questions about peers and finality', async () => {
  const { api, alice, net } = ctx;
  assert.deepEqual((await api.rpc.system.nodeRoles()).map((role) => role.type), ['Authority']);
  const peers = await until('three validators among the peers, who have told their best blocks', 60_000, async () => {
    const full = (await api.rpc.system.peers()).filter((peer) => peer.roles.toString() === 'AUTHORITY');
    return full.length === 3 && full.every((peer) => peer.bestNumber.toNumber() > 0) && full;
  });
  const ids = net.validators.slice(1).map((v) => v.tcp.split('/').at(-1));
  assert.deepEqual(peers.map((p) => p.peerId.toString()).sort(), ids.sort());
  await until('a light client among the peers', 60_000, async () => (await alice.call('system_peers')).some((peer) => peer.roles === 'LIGHT'));
  const health = await api.rpc.system.health();
  assert.ok(health.peers.toNumber() >= 3 && health.isSyncing.isFalse && health.shouldHavePeers.isTrue, health.toString());
  const own = (await api.rpc.system.localPeerId()).toString();
  assert.deepEqual((await api.rpc.system.localListenAddresses()).map(String).sort(), [alice.tcp, alice.webSocket].sort());
  assert.ok(alice.tcp.endsWith(own));

  const dave = net.validators[3];
  await api.rpc.system.addReservedPeer(dave.tcp);
  assert.deepEqual((await api.rpc.system.reservedPeers()).map(String), [ids.find((id) => dave.tcp.endsWith(id))]);
  await api.rpc.system.removeReservedPeer(dave.tcp.split('/').at(-1));
  assert.deepEqual((await api.rpc.system.reservedPeers()).map(String), []);
  await assert.rejects(api.rpc.system.addReservedPeer('/ip4/127.0.0.1/tcp/1'), 'an address without an identity');

  const round = await api.rpc.grandpa.roundState();
  assert.equal(round.best.totalWeight.toNumber(), 4);
  assert.equal(round.best.thresholdWeight.toNumber(), 3);
  assert.ok(round.best.round.toNumber() > 0);
  const { number } = await alice.finalised();
  const proof = (await api.rpc.grandpa.proveFinality(number)).unwrap();
  const target = hexToU8a(await alice.call('chain_getBlockHash', number));
  assert.deepEqual(proof.toU8a(true).subarray(0, 32), target, 'the proof begins with the block that it proves');
  await assert.rejects(api.rpc.grandpa.proveFinality(number + 1000));
});

judge('a transaction is told to be in a block, then final', async () => {
  const { api, alice } = ctx;
  const tx = await api.tx.balances.transferKeepAlive(account('Bob').address, unit).signAsync(account('Alice//stash'), { nonce: -1 });
  const statuses = await watched(api, tx);
  const types = statuses.map((status) => status.type);
  assert.deepEqual(types.filter((type) => !['Ready', 'Broadcast', 'Retracted'].includes(type)).slice(-2), ['InBlock', 'Finalized'], types.join());
  const [inBlock] = statuses.filter((status) => status.isInBlock).slice(-1);
  assert.equal(inBlock.asInBlock.toHex(), statuses.at(-1).asFinalized.toHex());
  assert.ok((await alice.call('chain_getBlock', inBlock.asInBlock.toHex())).block.extrinsics.includes(tx.toHex()));
});

judge('goes on when a validator is killed, which catches up when it is started again', async () => {
  const { lights: { tcp, ws }, alice, net: { validators: [, bob] } } = ctx;
  for (const client of [tcp, ws]) await client.until('a first final block', 60_000, ({ finalised }) => finalised.length > 1);
  await bob.kill();
  const from = Math.max(tcp.finalised.at(-1).number, ws.finalised.at(-1).number);
  for (const client of [tcp, ws]) await client.until('eight final blocks without bob', 120_000, ({ finalised }) => finalised.at(-1).number >= from + 8);
  await bob.restart();
  await until('bob to catch up', 120_000, async () => {
    const [his, hers] = await Promise.all([bob.finalised().catch(() => ({ number: 0 })), alice.finalised()]);
    return his.number + 3 >= hers.number;
  });
  await until('bob to have peers', 60_000, async () => (await bob.call('system_health')).peers >= 3);
  const { number, hash } = await bob.finalised();
  await until('alice to be as far', 60_000, async () => (await alice.finalised()).number >= number);
  assert.equal(await alice.call('chain_getBlockHash', number), hash, 'both finalise the same block');
  const id = bob.tcp.split('/').at(-1); // of whose peers some may be light clients
  await until('alice to have bob as a peer again', 60_000, async () => (await alice.call('system_peers')).some((peer) => peer.peerId === id));

  ctx.changes = setValidators(); // needs all four to finish in time
  ctx.changes.catch(() => {}); // is awaited later
}, 500_000);

judge('storage read with proofs is what the node has', async () => {
  const { lights: { tcp }, alice, api } = ctx;
  await tcp.until('a final block', 60_000, ({ finalised }) => finalised.length > 1);
  const [{ hash }] = await readFinal(tcp, { key: api.query.system.number.key(), type: 'value' });
  const rpc = (key) => alice.call('state_getStorage', key, hash);
  const prefix = api.query.system.account.keyPrefix();
  const keys = await alice.call('state_getKeysPaged', prefix, 1000, null, hash);
  assert.ok(keys.length > 10);
  const single = {
    'a short value': api.query.system.number.key(),
    'a value of more than 32 bytes': api.query.system.account.key(account('Alice').address),
    'a list': api.query.session.validators.key(),
    'an absent key beside others': api.query.system.account.key(new Uint8Array(32).fill(7)),
    'an absent prefix': stringToHex('nowhere'),
    'a key that continues another': `${api.query.system.number.key()}00`,
  };
  const values = await tcp.storage(hash, Object.values(single).map((key) => ({ key, type: 'value' })));
  for (const [what, key] of Object.entries(single)) {
    const expected = await rpc(key);
    assert.equal(values.find((item) => item.key === key)?.value ?? null, expected, what);
    assert.equal(expected === null, /absent|continues/.test(what), what);
  }
  assert.ok((await rpc(single['a value of more than 32 bytes'])).length > 2 + 64);

  const [code] = await tcp.storage(hash, [{ key: stringToHex(':code'), type: 'hash' }]);
  assert.equal(code.hash, await alice.call('state_getStorageHash', stringToHex(':code'), hash));

  const below = await tcp.storage(hash, [{ key: prefix, type: 'descendantsValues' }]);
  assert.deepEqual(below.map((item) => item.key).sort(), [...keys].sort());
  const [{ changes }] = await alice.call('state_queryStorageAt', keys, hash);
  assert.deepEqual(new Map(below.map((item) => [item.key, item.value])), new Map(changes.sort()));
  const empty = await tcp.storage(hash, [{ key: stringToHex('nowhere'), type: 'descendantsValues' }]);
  assert.deepEqual(empty, []);
});

for (const transport of ['tcp', 'ws']) {
  judge(`smoldot follows from genesis over ${transport} alone, three epochs and two changes of voters`, async () => {
    const client = ctx.lights[transport];
    const changes = () => client.finalised.filter((block) => changesVoters(block.header)).length;
    await client.until('three epochs with two changes of voters', 2 * changeMs, ({ finalised }) => finalised.length > 60 && changes() >= 2);
    // A proof may come before its block, or before that of a change of voters below it; none is false.
    assert.deepEqual(client.verdicts.filter((line) => /verify-error/.test(line) && !/UnknownTargetBlock|TooFarAhead/.test(line)), []);
    const [first] = client.finalised;
    client.finalised.forEach(({ number, header }, i) => {
      assert.equal(number, first.number + i, 'every block is told to be final, in order');
      if (i > 0) assert.equal(header.parentHash.toHex(), client.finalised[i - 1].hash);
    });
    assert.ok(first.number <= 33, `began at block ${first.number}`);
    for (const { number, hash } of client.finalised.filter((_, i) => i % 10 === 0)) assert.equal(hash, await ctx.alice.call('chain_getBlockHash', number));
  }, 2 * changeMs + 60_000);
}

/** warpParts reads a warp proof's count of fragments, first header and end. */
function warpParts(hex) {
  const bytes = hexToU8a(hex);
  const [skip, count] = compactFromU8a(bytes);
  return { count: count.toNumber(), first: decodeHeader(bytes.subarray(skip)), finished: bytes.at(-1) === 1 };
}

/** readFinal reads an item after the last final block, and returns both; or after the next one,
 * while smoldot believes no peer to have that block. */
async function readFinal(client, item) {
  for (let tries = 1; ; tries++) {
    const block = client.latest();
    try {
      return [block, await client.storage(block.hash, [item])];
    } catch (error) {
      if (!/operationInaccessible/.test(error.message) || tries === 5) throw error;
    }
    await client.until('another final block', 60_000, ({ finalised }) => finalised.at(-1).number > block.number);
  }
}

/** warp has a client begin at the chain's end, and see that it comes there by warp sync. It
 * may come there by headers instead, if it hears of these before it hears how much is
 * final: that is no less true, and another client is asked. */
async function warp(transport) {
  const { net, alice, api } = ctx;
  const before = (await alice.finalised()).number;
  for (let tries = 1; ; tries++) {
    const client = await light(net.validators.map((v) => (transport === 'tcp' ? v.tcp : v.webSocket)), transport);
    await client.until('to warp and follow', 90_000, ({ finalised }) => finalised.at(-1)?.number >= before + 3);
    const [{ hash, number }, [item]] = await readFinal(client, { key: api.query.system.number.key(), type: 'value' });
    assert.equal(hash, await alice.call('chain_getBlockHash', number));
    assert.equal(item.value, await alice.call('state_getStorage', item.key, hash));
    const success = client.verdicts.filter((line) => /warp-sync-fragment-verify-success/.test(line));
    await client.stop();
    if (success.length >= 3) {
      assert.ok(client.finalised[0].number > warpGap, `began at block ${client.finalised[0].number}`);
      return;
    }
    assert.ok(tries < 5, `${success.length} fragments were verified by the last of five clients\n${client.tail()}`);
  }
}

judge('smoldot warps over several changes of voters', async () => {
  const { net, alice, api, lights } = ctx;
  await ctx.changes;
  const changes = () => lights.tcp.finalised.filter((block) => changesVoters(block.header));
  await lights.tcp.until('three changes of voters', 2 * changeMs, ({ finalised }) => changes().length >= 3 && finalised.at(-1).number > warpGap + 8);

  const proof = warpParts(await alice.call('crust_warpProof', net.file.genesis_hash));
  assert.ok(proof.finished);
  assert.ok(proof.count >= 3, `${proof.count} fragments`);
  assert.equal(proof.first.hash.toHex(), changes()[0].hash, 'the proof begins with the first change');
  await until('the voter to be in the set of the best block', 60_000, async () =>
    (await api.rpc.grandpa.roundState()).setId.toNumber() === (await api.query.grandpa.currentSetId()).toNumber());

  for (const transport of ['tcp', 'ws']) await warp(transport);
}, 4 * changeMs);

// From here on the chain is long enough for a warp whatever voters do.

judge('runtime calls through the query view are what the node answers', async () => {
  const { net, alice, api } = ctx;
  const client = await light(net.validators.map((v) => v.tcp), 'tcp', true);
  await client.until('to follow', 60_000, ({ finalised }) => finalised.length > 1);
  const [{ hash }] = await readFinal(client, { key: api.query.system.number.key(), type: 'value' });
  const who = u8aToHex(account('Alice').publicKey);
  const calls = [['AccountNonceApi_account_nonce', who], ['Core_version', '0x'], ['Metadata_metadata_versions', '0x'], ['Metadata_metadata_at_version', '0x0f000000'],
    ['BabeApi_configuration', '0x'], ['BabeApi_current_epoch', '0x'], ['GrandpaApi_grandpa_authorities', '0x']];
  for (const [name, args] of calls) {
    const output = await client.call(hash, name, args);
    assert.ok(output.length > 2, name);
    assert.equal(output, await alice.call('state_call', name, args, hash), name);
  }
  await client.stop();
});

// Who signs in which try: an earlier one may have sent its transaction before smoldot
// failed, and the next of the same account would have its nonce.
const senders = ['Charlie', 'Bob', 'Dave', 'Eve', 'Ferdie'];

/** overSmoldot has a client on a smoldot of its own transfer something, and again on
 * another one if smoldot panics or drops the transaction. 3.4.1 may if it holds one when its
 * best block or a sibling of that becomes final: it validates against a block that it has let
 * go of, or that it believes no peer to have until they have said so. */
async function overSmoldot(client, transport, amount) {
  const chainSpec = ctx.net.spec(ctx.net.validators.map((v) => (transport === 'tcp' ? v.tcp : v.webSocket)));
  const logs = [];
  for (const from of senders) {
    const to = account(`${from}//${client}`).address;
    const { block, log } = await submitOverSmoldot({ client, transport, chainSpec, from, to, amount });
    if (!block) {
      logs.push(log.slice(-3000));
      continue;
    }
    await until('the block to be final for the node', 60_000, () => ctx.api.rpc.chain.getHeader(block).catch(() => null));
    assert.equal((await (await ctx.api.at(block)).query.system.account(to)).data.free.toBigInt(), amount);
    return;
  }
  assert.fail(`smoldot failed in every try\n${logs.join('\n')}`);
}

for (const [client, transport] of [['polkadot.js', 'tcp'], ['PAPI', 'ws']]) {
  judge(`${client} over smoldot signs and submits a transfer and sees it final`, () => overSmoldot(client, transport, 3n * unit), 600_000);
}

/** refusal waits until smoldot logs why it does not believe its only peer. */
const refusal = (client, reason) => client.until(`smoldot to say ${reason}`, 60_000, ({ log }) => log.some((line) => reason.test(line)));

judge('smoldot refuses false seals, VRFs, commits and proofs', async () => {
  const { net, alice, api } = ctx;
  const program = await buildLiar(net.dir);
  // Finalised by the voters of genesis, however many slots were missed at first.
  const at = Math.min(12, warpParts(await alice.call('crust_warpProof', net.file.genesis_hash)).first.number.toNumber());
  const options = { node: alice.tcp, genesis: net.file.genesis_hash };
  const near = await startLiars(program, { ...options, at }, ['none', 'seal', 'vrf', 'commit', 'few', 'storage']);
  ctx.open.push(near.stop);
  const far = await startLiars(program, options, ['none', 'warp']);
  ctx.open.push(far.stop);
  const [last, parent] = await Promise.all([at, at - 1].map((n) => alice.call('chain_getBlockHash', n)));
  const number = { key: api.query.system.number.key(), type: 'value' };
  const ends = ({ best, finalised }, bestNumber, finalNumber) => best?.number === bestNumber && finalised.at(-1)?.number === finalNumber;
  const meet = async (address, judgement) => {
    const client = await light([address], 'tcp');
    await judgement(client);
    await client.stop();
  };

  const { addresses } = near;
  await Promise.all([
    // What the others are changed from is believed.
    meet(addresses.none, async (client) => {
      await client.until(`to follow to block ${at}`, 60_000, (c) => ends(c, at, at - 1));
      assert.equal(client.best.hash, last);
      assert.equal(client.finalised.at(-1).hash, parent);
      const [item] = await client.storage(parent, [number]);
      assert.equal(item.value, await alice.call('state_getStorage', number.key, parent));
    }),
    ...[['seal', /header-verify-error.*BadSignature/], ['vrf', /header-verify-error.*BadVrfProof/]].map(([lie, reason]) => meet(addresses[lie], async (client) => {
      await refusal(client, reason);
      await client.until(`to follow to block ${at - 1}`, 60_000, (c) => ends(c, at - 1, at - 1));
      assert.equal(client.best.hash, parent);
    })),
    meet(addresses.commit, async (client) => {
      await refusal(client, /finality-proof-verify-error.*BadSignature/);
      await client.until(`to follow to block ${at}`, 60_000, (c) => ends(c, at, 0));
    }),
    meet(addresses.few, async (client) => {
      await client.until(`to follow to block ${at}`, 60_000, (c) => ends(c, at, 0));
      await refusal(client, /grandpa-commit-message-received/);
    }),
    meet(addresses.storage, async (client) => {
      await client.until(`to follow to block ${at}`, 60_000, (c) => ends(c, at, at - 1));
      await assert.rejects(client.storage(parent, [number]), /operationInaccessible/);
    }),
    meet(far.addresses.none, (client) => client.until('to follow', 60_000, ({ finalised }) => finalised.at(-1)?.number > warpGap)),
    meet(far.addresses.warp, async (client) => {
      await refusal(client, /Failed to verify warp sync fragment.*BadSignature/);
      assert.ok(!client.finalised.some((block) => block.number > 0), 'nothing is final but genesis');
    }),
  ]);
}, 180_000);
