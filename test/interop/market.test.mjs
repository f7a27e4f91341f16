// The storage market used by @polkadot/api, which is told no types, in the calls and
// queries that scripts for the original chain make.
import assert from 'node:assert/strict';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { suite, within } from './lib/judge.mjs';
import { send } from './lib/transaction.mjs';

const unit = 1_000_000_000_000n;
const cid = 'QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u';
const other = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4';

const judge = suite(async (node) => {
  const api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(node.ws), noInitWarn: true }));
  const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
  return { api, alice: keyring.addFromUri('//Alice'), bob: keyring.addFromUri('//Bob') };
}, ({ api }) => api?.disconnect());

const find = (events, method) => events.find((e) => e.section === 'market' && e.method === method);

judge('prices, and what an order would cost', async ({ api }) => {
  assert.ok((await api.query.market.enableMarket()).isTrue);
  const base = (await api.query.market.fileBaseFee()).toBigInt();
  const perMiB = (await api.query.market.fileByteFee()).toBigInt();
  const keys = (await api.query.market.fileKeysCountFee()).toBigInt();
  assert.equal(base, unit / 1000n);
  const quote = (await api.call.marketApi.quote(3_000_000, 5)).unwrap();
  assert.equal(quote.total.toBigInt(), base + 3n * perMiB + keys + 5n);
  assert.equal(quote.staking.toBigInt() + quote.storage.toBigInt() + quote.reserved.toBigInt(), quote.total.toBigInt());
  assert.ok((await api.call.marketApi.quote(2n ** 40n, 0)).isNone);
  assert.equal(api.consts.market.maximumFileSize.toBigInt(), 8n << 30n);
});

judge('placeStorageOrder, filesV2, addPrepaid, calculateReward, rewardMerchant', async ({ api, alice, bob }) => {
  const before = (await api.query.system.account(alice.address)).data.free.toBigInt();
  const cost = (await api.call.marketApi.quote(1_000_000, 0)).unwrap().total.toBigInt();
  let { events } = await send(api.tx.market.placeStorageOrder(cid, 1_000_000, 0, ''), alice);
  const placed = find(events, 'FileSuccess');
  assert.equal(placed.data[0].toString(), alice.address);
  const paid = before - (await api.query.system.account(alice.address)).data.free.toBigInt();
  assert.ok(paid > cost && paid < cost + unit / 100n, `${paid} paid, the order costs ${cost}`);

  const file = (await api.query.market.filesV2(cid)).unwrap();
  assert.equal(file.fileSize.toNumber(), 1_000_000);
  assert.equal(file.expiredAt.toNumber(), 0);
  assert.equal(file.reportedReplicaCount.toNumber(), 0);
  assert.equal(file.remainingPaidCount.toNumber(), 4);
  assert.equal(file.replicas.size, 0);
  assert.ok(file.amount.toBigInt() > 0n && file.amount.toBigInt() < cost);

  ({ events } = await send(api.tx.market.addPrepaid(cid, unit), bob));
  assert.equal(find(events, 'AddPrepaidSuccess').data[2].toBigInt(), unit);
  assert.equal((await api.query.market.filesV2(cid)).unwrap().prepaid.toBigInt(), unit);
  await assert.rejects(send(api.tx.market.calculateReward(cid), bob), /market\.NotInRewardPeriod/);
  ({ events } = await send(api.tx.market.calculateReward(other), bob)); // no such file: nothing to do
  assert.equal(find(events, 'CalculateSuccess'), undefined);
  await assert.rejects(send(api.tx.market.rewardMerchant(), bob), /market\.NotEnoughReward/);
});

judge('a CID that is none, and what the chain says of an order and its payer', async ({ api, bob }) => {
  const damaged = other.replace('bafk', 'bafK');
  await assert.rejects(send(api.tx.market.placeStorageOrder(damaged, 5_000, 0, ''), bob), /market\.InvalidCid/);
  await send(api.tx.market.placeStorageOrder(other, 5_000, 7, 'memo'), bob);
  const order = (await api.call.marketApi.order(other)).unwrap();
  assert.equal(order.stage.toString(), 'Ordered');
  assert.equal(order.fileSize.toNumber(), 5_000);
  assert.equal(order.replicas.toNumber(), 0);
  const mine = await api.call.marketApi.ordersByAccount(bob.address);
  assert.ok(mine.some((o) => o.order.cid.toUtf8() === other));
});

judge('refused orders leave nothing behind', async ({ api, bob }) => {
  const files = (await api.query.market.fileKeysCount()).toNumber();
  for (const [args, error] of [
    [['not a cid', 1000, 0, ''], /market\.InvalidCid/],
    [[other, 8n << 30n, 0, ''], /market\.FileTooLarge/],
    [[other, 1000, 10n ** 30n, ''], /market\.InsufficientCurrency/],
  ]) {
    await assert.rejects(send(api.tx.market.placeStorageOrder(...args), bob), error);
  }
  assert.equal((await api.query.market.fileKeysCount()).toNumber(), files);
});

judge('groups and work reports are there to be read', async ({ api, bob }) => {
  await send(api.tx.swork.createGroup(), bob);
  const group = await api.query.swork.groups(bob.address);
  assert.equal(group.members.size ?? group.members.length, 0);
  assert.equal((await api.query.swork.workerCount()).toNumber(), 0);
  assert.equal((await api.query.attest.roots()).length, 1);
  const slot = await api.query.swork.slot();
  assert.equal(slot.start.toNumber() % api.consts.swork.reportSlot.toNumber(), 0);
});
