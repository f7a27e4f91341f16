// Transactions signed and sent by @polkadot/api: every key type, mortal and
// immortal, short and long payloads, fees, events, and every way to be refused.
import assert from 'node:assert/strict';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { hexToU8a, u8aToHex } from '@polkadot/util';
import { suite, within } from './lib/judge.mjs';
import { until } from './lib/node.mjs';
import { outcome, watched } from './lib/transaction.mjs';

const unit = 1_000_000_000_000n;

const judge = suite(async (node) => {
  const api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(node.ws), noInitWarn: true }));
  const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
  return { api, keyring, alice: keyring.addFromUri('//Alice'), bob: keyring.addFromUri('//Bob') };
}, ({ api }) => api?.disconnect());

const free = async (api, who) => (await api.query.system.account(who.address)).data.free.toBigInt();

const find = (result, section, method) => result.events.filter(({ event }) => event.section === section && event.method === method).map((r) => r.event);

/** signed returns the bytes of a transaction without sending it. */
async function signed(tx, signer, options = { nonce: -1 }) {
  await tx.signAsync(signer, options);
  return tx.toHex();
}

/** forge signs with options that the client's own submission would put right. */
async function forge(api, tx, signer, wrong) {
  const extrinsic = api.registry.createType('Extrinsic', { method: tx.method }, { version: 4 });
  extrinsic.sign(signer, {
    blockHash: api.genesisHash,
    genesisHash: api.genesisHash,
    nonce: await api.rpc.system.accountNextIndex(signer.address),
    runtimeVersion: api.runtimeVersion,
    signedExtensions: api.registry.signedExtensions,
    tip: 0,
    ...wrong,
  });
  return extrinsic.toHex();
}

/** near allows for the fee multiplier, which moves a little from block to block. */
function near(actual, expected, what) {
  const apart = actual > expected ? actual - expected : expected - actual;
  assert.ok(apart * 1000n <= expected, `${what}: ${actual} is not near ${expected}`);
}

const submit = (node, bytes) => node.call('author_submitExtrinsic', bytes);

judge('an sr25519 transfer: statuses, events, balances, fee', async ({ api, node, alice, keyring }) => {
  const to = keyring.addFromUri('//Transfer//sr25519');
  const before = await free(api, alice);
  const tx = api.tx.balances.transferKeepAlive(to.address, unit);
  const { partialFee, weight } = await tx.paymentInfo(alice);
  assert.ok(partialFee.toBigInt() > 0n && weight.refTime.toBigInt() > 0n);
  const { statuses, result } = await outcome(tx, alice);
  assert.equal(statuses[0], 'Ready');
  const [transfer] = find(result, 'balances', 'Transfer');
  assert.equal(transfer.data.at(-1).toBigInt(), unit);
  assert.equal(find(result, 'system', 'NewAccount').length, 1);
  assert.equal(find(result, 'system', 'ExtrinsicSuccess').length, 1);
  const [paid] = find(result, 'transactionPayment', 'TransactionFeePaid');
  assert.equal(await free(api, to), unit);
  assert.equal(await free(api, alice), before - unit - paid.data[1].toBigInt());
  near(paid.data[1].toBigInt(), partialFee.toBigInt(), 'the fee is what was foretold');
  const { block } = await api.rpc.chain.getBlock(result.status.asFinalized);
  assert.equal(block.extrinsics[result.txIndex].hash.toHex(), result.txHash.toHex());
  assert.equal(await node.call('chain_getBlockHash', block.header.number.toNumber()), result.status.asFinalized.toHex());
});

judge('a transaction is told to be ready, in a block, then final', async ({ api, alice }) => {
  const tx = await api.tx.system.remark('0x0f').signAsync(alice, { nonce: -1 });
  const statuses = await watched(api, tx);
  const types = statuses.map((status) => status.type);
  assert.equal(types[0], 'Ready');
  assert.deepEqual(types.filter((type) => ['InBlock', 'Finalized'].includes(type)), ['InBlock', 'Finalized']);
  assert.equal(statuses.find((status) => status.isInBlock).asInBlock.toHex(), statuses.at(-1).asFinalized.toHex());
});

for (const type of ['ed25519', 'ecdsa']) {
  judge(`an ${type} account receives, signs and sends`, async ({ api, alice, bob, keyring }) => {
    const from = keyring.addFromUri(`//Sender//${type}`, {}, type);
    await outcome(api.tx.balances.transferKeepAlive(from.address, 10n * unit), alice);
    const before = await free(api, bob);
    const { result } = await outcome(api.tx.balances.transferKeepAlive(bob.address, unit), from);
    assert.equal(find(result, 'system', 'ExtrinsicSuccess').length, 1);
    assert.equal(await free(api, bob), before + unit);
    assert.equal((await api.query.system.account(from.address)).nonce.toNumber(), 1);
    const long = await outcome(api.tx.system.remark('0x' + 'ab'.repeat(300)), from);
    assert.equal(find(long.result, 'system', 'ExtrinsicSuccess').length, 1);
  }, 300_000);
}

judge('an immortal transaction, and mortal ones of several periods', async ({ api, alice }) => {
  for (const era of [0, 4, 64, 2048]) {
    for (let tries = 1; ; tries++) {
      const tx = api.tx.system.remark(`0x0${era ? 1 : 0}`);
      try {
        const { result } = await outcome(tx, alice, { era });
        assert.equal(find(result, 'system', 'ExtrinsicSuccess').length, 1, `era ${era}`);
        assert.equal(tx.era.isMortalEra, era !== 0);
        break;
      } catch (error) {
        // The shortest is over after four blocks: a machine that stands still for so long is too late.
        if (era !== 4 || tries === 5 || !/outdated|ancient|bad signature|ended as (Invalid|Dropped)/i.test(error.message)) throw error;
      }
    }
  }
}, 600_000);

judge('a payload above 256 bytes is signed by its hash', async ({ api, alice }) => {
  for (const tx of [
    api.tx.system.remark('0x' + '5a'.repeat(300)),
    api.tx.utility.batchAll(Array.from({ length: 20 }, (_, i) => api.tx.system.remark('0x' + '00'.repeat(i + 1)))),
  ]) {
    const { result } = await outcome(tx, alice);
    assert.equal(find(result, 'system', 'ExtrinsicSuccess').length, 1);
  }
}, 300_000);

judge('a tip is paid', async ({ api, alice }) => {
  const { result } = await outcome(api.tx.system.remark('0x02'), alice, { tip: unit });
  const [paid] = find(result, 'transactionPayment', 'TransactionFeePaid');
  assert.equal(paid.data[2].toBigInt(), unit);
  assert.ok(paid.data[1].toBigInt() > unit);
});

judge('utility: batch stops where it fails, batchAll undoes, both tell', async ({ api, alice, keyring }) => {
  const to = keyring.addFromUri('//Batch//target');
  const pay = () => api.tx.balances.transferKeepAlive(to.address, unit);
  const tooMuch = () => api.tx.balances.transferKeepAlive(to.address, 10n ** 30n);
  const good = await outcome(api.tx.utility.batch([pay(), pay()]), alice);
  assert.equal(find(good.result, 'utility', 'BatchCompleted').length, 1);
  assert.equal(find(good.result, 'utility', 'ItemCompleted').length, 2);
  assert.equal(await free(api, to), 2n * unit);
  const part = await outcome(api.tx.utility.batch([pay(), tooMuch(), pay()]), alice);
  const [stopped] = find(part.result, 'utility', 'BatchInterrupted');
  assert.equal(stopped.data[0].toNumber(), 1);
  assert.equal(await free(api, to), 3n * unit);
  const all = await outcome(api.tx.utility.batchAll([pay(), tooMuch()]), alice);
  assert.equal(await free(api, to), 3n * unit, 'nothing of a failed batchAll stays');
  assert.ok(all.result.dispatchError.isModule || all.result.dispatchError.isToken || all.result.dispatchError.isArithmetic);
}, 300_000);

judge('a failed call names its error', async ({ api, alice, keyring }) => {
  const to = keyring.addFromUri('//Error//target');
  const { result } = await outcome(api.tx.balances.transferKeepAlive(to.address, 1n), alice);
  const error = result.dispatchError;
  if (error.isModule) {
    const meta = api.registry.findMetaError(error.asModule);
    assert.equal(meta.section, 'balances');
    assert.ok(meta.docs.length > 0, 'the error is explained');
  } else {
    assert.ok(error.isToken, `an amount below the existential deposit: ${error}`);
  }
  assert.equal(find(result, 'system', 'ExtrinsicFailed').length, 1);
  assert.equal(await free(api, to), 0n);
});

judge('sudo acts as Root; others may not', async ({ api, alice, bob, keyring }) => {
  const key = '0x' + '61'.repeat(20);
  const write = api.tx.system.setStorage([[key, '0xc0ffee']]);
  assert.equal((await api.query.sudo.key()).toString(), alice.address);
  const { result } = await outcome(api.tx.sudo.sudo(write), alice);
  assert.ok(find(result, 'sudo', 'Sudid')[0].data[0].isOk);
  assert.equal((await api.rpc.state.getStorage(key)).toHex().replace(/^0x0c/, '0x'), '0xc0ffee');
  const refused = await outcome(api.tx.sudo.sudo(api.tx.system.setStorage([[key, '0x00']])), bob);
  assert.ok(refused.result.dispatchError, 'only the key may');
  const direct = await outcome(api.tx.system.setStorage([[key, '0x00']]), keyring.addFromUri('//Bob'));
  assert.ok(direct.result.dispatchError.isBadOrigin);
  assert.equal((await api.rpc.state.getStorage(key)).toHex().replace(/^0x0c/, '0x'), '0xc0ffee');
}, 300_000);

judge('a stale nonce is refused, a future one waits for its turn', async ({ api, node, alice }) => {
  const nonce = (await api.rpc.system.accountNextIndex(alice.address)).toNumber();
  assert.ok(nonce > 0);
  const stale = await signed(api.tx.system.remark('0x03'), alice, { nonce: 0 });
  await assert.rejects(submit(node, stale), { code: 1010, message: /Invalid Transaction/, data: /outdated|stale/i });
  const future = await signed(api.tx.system.remark('0x04'), alice, { nonce: nonce + 1 });
  const hash = await submit(node, future);
  assert.equal(hash, api.registry.hash(hexToU8a(future)).toHex());
  assert.equal((await api.rpc.system.accountNextIndex(alice.address)).toNumber(), nonce, 'a gap is not counted');
  const before = await node.height();
  await until('two more blocks', 60_000, async () => (await node.height()) >= before + 2);
  assert.equal((await api.query.system.account(alice.address)).nonce.toNumber(), nonce, 'the future transaction waits');
  await outcome(api.tx.system.remark('0x05'), alice, { nonce });
  await until('the future transaction to follow', 60_000, async () =>
    (await api.query.system.account(alice.address)).nonce.toNumber() === nonce + 2);
}, 300_000);

judge('a bad signature is refused', async ({ api, node, alice }) => {
  const bytes = hexToU8a(await signed(api.tx.system.remark('0x06'), alice));
  for (const at of [40, 60, 90]) { // inside the 64 bytes of the signature
    const forged = Uint8Array.from(bytes);
    forged[at] ^= 1;
    await assert.rejects(submit(node, u8aToHex(forged)), { code: 1010, data: /bad signature/i }, `byte ${at}`);
  }
  const other = Uint8Array.from(bytes);
  other[other.length - 1] ^= 1; // another remark under the same signature
  await assert.rejects(submit(node, u8aToHex(other)), { code: 1010, data: /bad signature/i });
});

judge('a signature for another chain, version or birth block is refused', async ({ api, node, alice }) => {
  const tx = api.tx.system.remark('0x07');
  const head = await api.rpc.chain.getHeader();
  const era = api.registry.createType('ExtrinsicEra', { current: head.number.toNumber(), period: 64 });
  const { transactionVersion, specVersion } = api.runtimeVersion;
  const wrongs = {
    genesis: { genesisHash: '0x' + '77'.repeat(32) },
    'spec version': { runtimeVersion: { specVersion: specVersion.addn(1), transactionVersion } },
    'transaction version': { runtimeVersion: { specVersion, transactionVersion: transactionVersion.addn(1) } },
    'birth block': { era, blockHash: '0x' + '88'.repeat(32) },
    'immortal birth block': { blockHash: head.hash },
  };
  for (const [what, wrong] of Object.entries(wrongs)) {
    await assert.rejects(submit(node, await forge(api, tx, alice, wrong)), { code: 1010, data: /bad signature/i }, what);
  }
  await submit(node, await forge(api, tx, alice, { era, blockHash: await api.rpc.chain.getBlockHash(era.asMortalEra.birth(head.number.toNumber())) }));
});

judge('an account without funds cannot pay', async ({ api, node, keyring }) => {
  const poor = keyring.addFromUri('//Poor//Soul');
  const bytes = await signed(api.tx.system.remark('0x08'), poor, { nonce: 0 });
  await assert.rejects(submit(node, bytes), { code: 1010, data: /Inability to pay some fees/ });
});

judge('what is no transaction is refused', async ({ api, node }) => {
  await assert.rejects(submit(node, '0x'), Error);
  await assert.rejects(submit(node, '0x1c0400000000ff'), Error);
  await assert.rejects(submit(node, 'remark'), { code: -32602 });
  const inherent = api.tx.timestamp.set(1).toHex();
  await assert.rejects(submit(node, inherent), { code: 1010 });
  const height = await node.height();
  await until('the node to go on', 60_000, async () => await node.height() > height);
});

judge('the same transaction twice is known', async ({ api, node, bob }) => {
  const nonce = (await api.rpc.system.accountNextIndex(bob.address)).toNumber();
  const bytes = await signed(api.tx.system.remark('0x09'), bob, { nonce: nonce + 1 });
  await submit(node, bytes);
  await assert.rejects(submit(node, bytes), { code: 1013, message: /Already Imported/i });
  await outcome(api.tx.system.remark('0x0a'), bob, { nonce });
});

judge('a transaction with a higher tip replaces one that waits', async ({ api, node, bob }) => {
  const nonce = (await api.rpc.system.accountNextIndex(bob.address)).toNumber() + 1;
  const cheap = await signed(api.tx.system.remark('0x0b'), bob, { nonce });
  const dear = await signed(api.tx.system.remark('0x0c'), bob, { nonce, tip: unit });
  await submit(node, cheap);
  await submit(node, dear);
  const again = await signed(api.tx.system.remark('0x0d'), bob, { nonce });
  await assert.rejects(submit(node, again), { code: 1014 });
  await outcome(api.tx.system.remark('0x0e'), bob, { nonce: nonce - 1 });
});

judge('twenty transactions of one account go in, in order', async ({ api, node, bob }) => {
  const start = (await api.rpc.system.accountNextIndex(bob.address)).toNumber();
  const hashes = [];
  for (let i = 0; i < 20; i++) hashes.push(await submit(node, await signed(api.tx.system.remark(`0x${(0x20 + i).toString(16)}`), bob, { nonce: start + i })));
  assert.equal((await api.rpc.system.accountNextIndex(bob.address)).toNumber(), start + 20, 'the pool is counted');
  await until('all twenty', 60_000, async () => (await api.query.system.account(bob.address)).nonce.toNumber() === start + 20);
  const found = [];
  for (let n = await node.height(); n > 0 && found.length < 20; n--) {
    const { block } = await api.rpc.chain.getBlock(await api.rpc.chain.getBlockHash(n));
    found.unshift(...block.extrinsics.map((x) => x.hash.toHex()).filter((h) => hashes.includes(h)));
  }
  assert.deepEqual(found, hashes);
}, 300_000);

judge('fees grow with length, and queryFeeDetails adds up over HTTP', async ({ api, node, alice }) => {
  const short = await api.tx.system.remark('0x00').paymentInfo(alice);
  const long = await api.tx.system.remark('0x' + '00'.repeat(1000)).paymentInfo(alice);
  assert.ok(long.partialFee.gt(short.partialFee));
  const tx = api.tx.system.remark('0x00');
  const bytes = await signed(tx, alice);
  const head = await node.call('chain_getBlockHash');
  const info = await node.call('payment_queryInfo', bytes, head);
  near(BigInt(info.partialFee), short.partialFee.toBigInt(), 'both ways to ask');
  const { inclusionFee } = await node.call('payment_queryFeeDetails', bytes, head);
  const sum = ['baseFee', 'lenFee', 'adjustedWeightFee'].reduce((total, part) => total + BigInt(inclusionFee[part]), 0n);
  assert.equal(sum, BigInt(info.partialFee));
});

judge('dryRun tells the outcome without acting', async ({ api, alice, bob }) => {
  const before = await free(api, bob);
  const tx = await api.tx.balances.transferKeepAlive(bob.address, unit).signAsync(alice, { nonce: -1 });
  const outcome = await api.rpc.system.dryRun(tx.toHex());
  assert.ok(outcome.isOk && outcome.asOk.isOk);
  assert.equal(await free(api, bob), before);
});
