// A network whose eras last eight seconds: smoldot follows the changes of voters that come
// from elections, and @polkadot/api, which is told no types, sees how one who signs twice is
// reported, taken off the candidates and slashed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { startDevnet } from './lib/devnet.mjs';
import { within } from './lib/judge.mjs';
import { changesVoters, forgetTimers, Light } from './lib/light.mjs';
import { crust, Process, root, run, until } from './lib/node.mjs';
import { send } from './lib/transaction.mjs';

const unit = 1_000_000_000_000n;
const patience = 150_000; // many eras
const keyring = new Keyring({ type: 'sr25519', ss58Format: 66 });
const account = (uri) => keyring.addFromUri(`//${uri}`);
const ctx = { open: [] };

before(async () => {
  const spec = await run('go', ['run', './test/interop/shortspec'], { cwd: root, timeout: 240_000 });
  ctx.net = await startDevnet(4, { spec });
  [ctx.alice] = ctx.net.validators;
  ctx.light = await Light.open(ctx.net.spec(ctx.net.validators.map((v) => v.tcp)), 'tcp');
  ctx.open.push(() => ctx.light.stop());
  await ctx.light.follow();
  ctx.api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(ctx.alice.rpc), noInitWarn: true }));
  ctx.open.push(() => ctx.api.disconnect());
}, { timeout: 400_000 });

after(async () => {
  const errors = [];
  for (const close of [...ctx.open.reverse(), () => ctx.net?.stop()]) await Promise.resolve(close()).catch((error) => errors.push(error));
  forgetTimers();
  assert.deepEqual(errors, []);
}, { timeout: 90_000 });

/** judge declares one test, beside whose error the logs and the chain's state are shown. */
function judge(name, judgement) {
  test(name, { timeout: 4 * patience }, async (t) => {
    try {
      await judgement(t);
    } catch (error) {
      const { staking, session } = ctx.api?.query ?? {};
      const state = await Promise.all([staking?.activeEra(), session?.currentIndex(), session?.validators(), staking?.validators.keys()]).catch((reason) => [reason]);
      t.diagnostic(`era, session, validators, candidates: ${state}`);
      t.diagnostic(await ctx.net?.tails() ?? 'no network');
      t.diagnostic(ctx.light?.tail() ?? 'no light client');
      throw error;
    }
  });
}

/** changes are the final blocks that change the voters, as smoldot sees them. */
const changes = () => ctx.light.finalised.filter((block) => changesVoters(block.header));

/** elected waits until smoldot has seen a change after the first n, and a few blocks that the new
 * voters made final. */
async function elected(n, validators) {
  const { light, alice, api } = ctx;
  await light.until(`change ${n + 1} of voters`, patience, () => changes().length > n);
  const change = changes()[n];
  await light.until('blocks that the new voters have made final', patience, ({ finalised }) => finalised.at(-1).number >= change.number + 5);
  const { hash, number } = light.finalised.at(-1);
  assert.deepEqual((await (await api.at(hash)).query.session.validators()).map(String).sort(), validators.map((v) => account(`${v}//stash`).address).sort());
  assert.equal(hash, await alice.call('chain_getBlockHash', number));
}

judge('smoldot follows two changes of voters that come from elections', async () => {
  const { staking } = ctx.api.tx;
  const first = changes().length;
  await send(staking.chill(), account('Charlie'));
  await elected(first, ['Alice', 'Bob', 'Dave']);
  await send(staking.validate({ fee: 1_000_000_000 }), account('Charlie'));
  await elected(first + 1, ['Alice', 'Bob', 'Charlie', 'Dave']);
  const { finalised, verdicts } = ctx.light;
  assert.ok(finalised[0].number <= 33, `began at block ${finalised[0].number}`);
  finalised.forEach(({ number, header }, i) => {
    assert.equal(number, finalised[0].number + i, 'every block is told to be final, in order');
    if (i > 0) assert.equal(header.parentHash.toHex(), finalised[i - 1].hash);
  });
  assert.deepEqual(verdicts.filter((line) => /verify-error/.test(line) && !/UnknownTargetBlock|TooFarAhead/.test(line)), []);
});

/** finalBlocks visits final blocks from a number on, with their events, until found takes one. */
async function finalBlocks(what, from, found) {
  const { alice, api } = ctx;
  for (let number = from; ; number++) {
    await until(`${what}, at block ${number}`, patience, async () => (await alice.finalised()).number >= number);
    const hash = await alice.call('chain_getBlockHash', number);
    const at = await api.at(hash);
    const events = await at.query.system.events();
    const block = { number, hash, at, of: (section, method) => events.filter(({ event }) => event.section === section && event.method === method) };
    if (await found(block)) return block;
    assert.ok(number < from + 400, `${what}: nothing in 400 blocks`);
  }
}

const eraAt = async (at) => (await at.query.staking.activeEra()).unwrap().index.toNumber();

judge('who signs twice is reported, chilled and slashed, for all to see', async (t) => {
  const { net, alice, api, light } = ctx;
  assert.equal((await api.query.session.validators()).length, 4, 'the test before has failed');
  const dave = account('Dave//stash').address;
  const spared = ['Alice', 'Bob', 'Charlie'].map((v) => account(`${v}//stash`).address);
  const twin = new Process(crust, ['node', '--chain', net.file.chain_spec, '--tmp', '--dev-key', '//Dave', '--name', 'twin',
    '--rpc-port', '0', '--port', '0', '--ws-port', '0', '--prometheus-port', '0', '--bootnodes', net.validators.map((v) => v.tcp).join()]);
  let running = true;
  const stop = async () => {
    if (running) await twin.stop();
    running = false;
  };
  ctx.open.push(stop);
  await until('the twin among the peers', 60_000, async () => twin.alive() && (await alice.call('system_peers')).filter((peer) => peer.roles === 'AUTHORITY').length > 3);
  const from = (await alice.finalised()).number;
  const before = changes().length;
  await send(api.tx.sudo.sudo(api.tx.staking.setInvulnerables(spared)), account('Alice')); // Dave is not, from now on

  let late = false; // a machine that stands still for seconds makes him, and others, silent too, which has a price of its own
  const filed = await finalBlocks('a report of Dave, and a slash that waits', from, async ({ at, of }) => {
    late ||= of('imOnline', 'SomeOffline').some(({ event }) => event.data[0].some(([validator]) => validator.toString() === dave));
    const waiting = await at.query.staking.unappliedSlashes(await eraAt(at));
    return of('offences', 'Offence').some(({ phase }) => phase.isApplyExtrinsic) && waiting.some((slash) => slash.validator.toString() === dave);
  });
  await stop();
  const reports = filed.of('offences', 'Offence').filter(({ phase }) => phase.isApplyExtrinsic);
  assert.ok(reports.length > 0, 'an offence was reported');
  const { block } = await api.rpc.chain.getBlock(filed.hash);
  for (const { phase, event } of reports) {
    assert.match(Buffer.from(event.data[0].toU8a()).toString(), /^(babe:equivocatio|grandpa:equivoca)$/);
    const { method, isSigned } = block.extrinsics[phase.asApplyExtrinsic.toNumber()];
    assert.equal(method.method, 'reportEquivocationUnsigned');
    assert.ok(!isSigned);
  }
  assert.equal((await filed.at.query.staking.validators.keys()).filter((key) => key.args[0].toString() === dave).length, 0, 'no candidate any more');
  const era = await eraAt(filed.at);
  if (late) {
    t.diagnostic('Dave was late as well: what he loses is not compared');
    return;
  }
  const loss = 20_000n * unit * 9n / 16n; // of four one: (3/4)²
  const [slash] = await filed.at.query.staking.unappliedSlashes(era);
  assert.equal(slash.own.toBigInt(), loss);

  const taken = await finalBlocks('the slash to be taken', filed.number + 1, (b) => b.of('staking', 'Slash').length > 0);
  const [{ event }] = taken.of('staking', 'Slash');
  assert.deepEqual([event.data[0].toString(), event.data[1].toBigInt()], [dave, loss]);
  assert.equal(await eraAt(taken.at), era + 2, 'it has waited for an era');
  const own = ({ phase }) => !phase.isApplyExtrinsic;
  const treasury = taken.of('treasury', 'Deposit').filter(own).reduce((n, deposit) => n + deposit.event.data[0].toBigInt(), 0n);
  assert.equal(treasury, loss - loss / 20n, 'half of a tenth is the reporter’s');
  const ledger = (await taken.at.query.staking.ledger(account('Dave').address)).unwrap();
  assert.equal(ledger.total.unwrap().toBigInt(), 20_000n * unit - loss);
  await light.until('smoldot to follow the change', patience, ({ finalised }) => changes().length > before && finalised.at(-1).number >= changes().at(-1).number + 3);
});
