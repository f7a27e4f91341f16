// Staking seen and used by @polkadot/api, which is told no types: bonds, session
// keys, candidates and guarantees of a chain whose eras last a minute.
import assert from 'node:assert/strict';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { suite, within } from './lib/judge.mjs';
import { until } from './lib/node.mjs';
import { send } from './lib/transaction.mjs';

const unit = 1_000_000_000_000n;

const judge = suite(async (node) => {
  const api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(node.ws), noInitWarn: true }));
  const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
  const key = (uri) => keyring.addFromUri(uri);
  return { api, alice: key('//Alice'), aliceStash: key('//Alice//stash'), bob: key('//Bob'), bobStash: key('//Bob//stash'), charlie: key('//Charlie'), charlieStash: key('//Charlie//stash') };
}, ({ api }) => api?.disconnect());

const find = (events, method) => events.filter((e) => e.section === 'staking' && e.method === method);

judge('genesis: the validator, its bond, its limit', async ({ api, alice, aliceStash }) => {
  const bonded = await api.query.staking.bonded(aliceStash.address);
  assert.equal(bonded.unwrap().toString(), alice.address);
  const ledger = (await api.query.staking.ledger(alice.address)).unwrap();
  assert.equal(ledger.stash.toString(), aliceStash.address);
  assert.equal(ledger.active.unwrap().toBigInt(), 20_000n * unit);
  const candidates = await api.query.staking.validators.entries();
  assert.deepEqual(candidates.map(([k]) => k.args[0].toString()), [aliceStash.address]);
  assert.equal(candidates[0][1].fee.unwrap().toNumber(), 1_000_000_000);
  const era = (await api.query.staking.activeEra()).unwrap().index;
  const exposure = await api.query.staking.erasStakers(era, aliceStash.address);
  assert.equal(exposure.total.unwrap().toBigInt(), 20_000n * unit);
  assert.equal(api.consts.staking.sessionsPerEra.toNumber(), 3);
});

/** calm waits while the next election may come within 20 blocks: it is at the start of an era's
 * third session. */
const calm = (api) => until('an election to be over', 100_000, async () => {
  const { staking, session } = (await api.at(await api.rpc.chain.getBlockHash())).query;
  const era = (await staking.activeEra()).unwrap().index;
  const [planned, start, now] = await Promise.all([staking.currentEra(), staking.erasStartSessionIndex(era), session.currentIndex()]);
  return planned.unwrap().gt(era) || now.eq(start.unwrap());
});

judge('bond, keys, validate and guarantee, and what StakingApi says of it', async ({ api, node, aliceStash, bob, bobStash, charlie, charlieStash }) => {
  let { events } = await send(api.tx.staking.bond(bob.address, 1000n * unit), bobStash);
  assert.equal(find(events, 'Bonded')[0].data[1].toBigInt(), 1000n * unit);
  const keys = await node.call('author_rotateKeys');
  await send(api.tx.session.setKeys(keys, '0x'), bob);
  assert.ok((await api.query.session.nextKeys(bobStash.address)).isSome);
  await send(api.tx.staking.bond(charlie.address, 500n * unit), charlieStash);
  await calm(api); // Bob must not be elected, see below
  ({ events } = await send(api.tx.staking.validate({ fee: 300_000_000 }), bob));
  assert.equal(find(events, 'ValidateSuccess').length, 1);
  ({ events } = await send(api.tx.utility.batchAll([
    api.tx.staking.guarantee([aliceStash.address, 100n * unit]), api.tx.staking.guarantee([bobStash.address, 50n * unit])]), charlie));
  assert.equal(find(events, 'GuaranteeSuccess').length, 2);
  const mine = (await api.query.staking.guarantors(charlieStash.address)).unwrap();
  assert.equal(mine.total.unwrap().toBigInt(), 150n * unit);
  assert.deepEqual(mine.targets.map((t) => t.who.toString()), [aliceStash.address, bobStash.address]);

  const limit = await api.call.stakingApi.stakeLimit(aliceStash.address);
  assert.equal(limit.guaranteed.toBigInt(), 100n * unit);
  assert.equal(limit.headroom.toBigInt(), limit.limit.toBigInt() - 20_100n * unit);
  const forecast = await api.call.stakingApi.nextElection();
  const alice = forecast.candidates.find((c) => c.stash.toString() === aliceStash.address);
  assert.ok(alice.elected.isTrue);
  assert.equal(alice.staked.toBigInt(), 20_100n * unit);

  // This node has no peers, so it would make no blocks if there was another validator.
  ({ events } = await send(api.tx.staking.chill(), bob));
  assert.equal(find(events, 'ChillSuccess')[0].data[1].toString(), bobStash.address);
  assert.equal((await api.query.staking.validators.entries()).length, 1);
});

judge('an era ends, and its rewards are paid', async ({ api, bob, aliceStash }) => {
  const paid = async () => (await api.query.staking.erasStakingPayout.entries()).find(([, v]) => v.unwrap().toBigInt() > 0n);
  const [key] = await until('an era to be paid', 200_000, paid);
  const era = key.args[0];
  const { events } = await send(api.tx.staking.rewardStakers(aliceStash.address, era), bob);
  const reward = find(events, 'Reward').find((e) => e.data[0].toString() === aliceStash.address);
  assert.ok(reward.data[1].toBigInt() > 0n);
  await assert.rejects(send(api.tx.staking.rewardStakers(aliceStash.address, era), bob), /./);
}, 240_000);
