// Three readings of every type in the metadata must agree: a generator written from
// the type definitions, polkadot.js, and our codec. Values are drawn from SEED.
import assert from 'node:assert/strict';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { hexToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { CodecServer } from './lib/codecserver.mjs';
import { random, seed, suite, within } from './lib/judge.mjs';
import { Generator, reencode } from './lib/portable.mjs';

const rounds = Number(process.env.ROUNDS ?? 3); // values per type and variant
const maxReported = 20;

const judge = suite(async (node) => {
  const api = await within(60_000, 'ApiPromise', ApiPromise.create({ provider: new WsProvider(node.ws), noInitWarn: true }));
  const generator = new Generator(api.registry, random(seed));
  const alice = new Keyring({ type: 'sr25519' }).addFromUri('//Alice');
  generator.extrinsics = [];
  for (const remark of ['0x', '0x' + '17'.repeat(300)]) {
    generator.extrinsics.push((await api.tx.system.remark(remark).signAsync(alice, { nonce: 7 })).toU8a());
  }
  return { api, generator, server: new CodecServer() };
}, async ({ api, server }) => {
  await server?.stop();
  await api?.disconnect();
});

/** cases lists what is tried: every variant of every enum, and of the outer enums
 * every call, event and error of every pallet. */
function* cases(generator) {
  for (const id of generator.ids()) {
    const { def } = generator.type(id);
    if (!def.isVariant) {
      yield { id, name: generator.path(id).join('::') || def.type, draw: () => generator.encode(id) };
      continue;
    }
    for (const variant of def.asVariant.variants) {
      const name = `${generator.path(id).join('::')}::${variant.name}`;
      yield { id, name, draw: () => generator.encode(id, 0, variant) };
      if (!/^Runtime(Call|Event|Error)$/.test(generator.path(id).at(-1) ?? '') || variant.fields.length !== 1) continue;
      for (const inner of generator.variants(variant.fields[0].type)) {
        yield { id, name: `${name}.${inner.name}`, draw: () => u8aConcat([variant.index.toNumber()], generator.encode(variant.fields[0].type, 1, inner)) };
      }
    }
  }
}

/** ruled reports whether our codec refused a value because its type, or that of a call in it, has rules beside its form:
 * what an enclave signs is canonical, ordered and of bounded length, or it is nothing. Vectors
 * show those values (mpow/proof). */
const ruled = (ours) => /^error: (proof: |scale: a sequence of )/.test(ours);

function report(failures, count) {
  assert.ok(count > 0, 'nothing was tried');
  assert.equal(failures.length, 0, `${failures.length} of ${count} (SEED=${seed}):\n${failures.slice(0, maxReported).join('\n')}`);
}

judge('every type and variant: generator, polkadot.js and our codec agree', async ({ api, generator, server }, t) => {
  const failures = [];
  let count = 0, refused = 0;
  for (const { id, name, draw } of cases(generator)) {
    for (let i = 0; i < rounds; i++) {
      const bytes = u8aToHex(draw());
      let theirs, ours;
      try {
        theirs = reencode(api.registry, id, hexToU8a(bytes));
      } catch (error) {
        theirs = `error: ${error.message.slice(0, 200)}`;
      }
      if (theirs !== bytes) failures.push(`${id} ${name}: polkadot.js makes ${theirs} of ${bytes}`);
      ours = await server.reencode(id, bytes);
      if (ruled(ours)) refused++;
      else if (ours !== bytes) failures.push(`${id} ${name}: we make ${ours} of ${bytes}`);
      count++;
    }
  }
  t.diagnostic(`${count} values of ${generator.ids().length} types, seed ${seed}; ${refused} break a rule of reports`);
  assert.ok(refused < count / 50, `${refused} of ${count} values were refused by a rule`);
  report(failures, count);
}, 180_000);

judge('what our codec accepts, polkadot.js reads the same way', async ({ api, generator, server }, t) => {
  const failures = [];
  let accepted = 0, count = 0;
  for (const { id, name, draw } of cases(generator)) {
    const bytes = draw();
    if (bytes.length === 0) continue;
    const damaged = Uint8Array.from(bytes);
    damaged[generator.random.below(bytes.length)] ^= 1 << generator.random.below(8);
    count++;
    const hex = u8aToHex(damaged);
    const ours = await server.reencode(id, hex);
    if (ours.startsWith('error: ')) continue;
    accepted++;
    if (ours !== hex) failures.push(`${id} ${name}: we accept ${hex} and encode ${ours}`);
    try {
      const theirs = reencode(api.registry, id, damaged);
      if (theirs !== hex) failures.push(`${id} ${name}: polkadot.js makes ${theirs} of ${hex}`);
    } catch (error) {
      failures.push(`${id} ${name}: polkadot.js refuses ${hex}: ${error.message.slice(0, 200)}`);
    }
  }
  t.diagnostic(`${accepted} of ${count} damaged values are still values`);
  assert.ok(accepted > 0 && accepted < count, `${accepted} of ${count} accepted: the codec decides nothing`);
  report(failures, count);
}, 180_000);

judge('our codec refuses what is too short or too long', async ({ generator, server }) => {
  const failures = [];
  let count = 0;
  for (const { id, name, draw } of cases(generator)) {
    const bytes = draw();
    const wrong = [u8aConcat(bytes, [0])];
    if (bytes.length > 0) wrong.push(bytes.subarray(0, bytes.length - 1));
    for (const w of wrong) {
      count++;
      const ours = await server.reencode(id, u8aToHex(w));
      if (!ours.startsWith('error: ')) failures.push(`${id} ${name}: we accept ${u8aToHex(w)} as ${ours}`);
    }
  }
  report(failures, count);
}, 180_000);
