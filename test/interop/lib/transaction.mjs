// Sends transactions by @polkadot/api and waits until they are final.
import assert from 'node:assert/strict';
import { within } from './judge.mjs';

/** outcome signs and submits a transaction; it resolves to every status seen and to the
 * result in the final block, whatever the call came to. */
export async function outcome(tx, signer, options = {}) {
  const statuses = [];
  const result = await within(100_000, 'finality of a transaction', new Promise((resolve, reject) => {
    tx.signAndSend(signer, options, (result) => {
      statuses.push(result.status.type);
      if (result.status.isFinalized) resolve(result);
      if (result.isError) reject(new Error(`transaction ended as ${result.status.type}`));
    }).catch(reject);
  }));
  assert.ok(result.events.some(({ event }) => ['ExtrinsicSuccess', 'ExtrinsicFailed'].includes(event.method)), 'events decode');
  return { statuses, result };
}

/** send is outcome of a call that is to succeed; it resolves to the statuses, the block's
 * hash and the events, and throws the call's error by its name. */
export async function send(tx, signer) {
  const { statuses, result } = await outcome(tx, signer);
  const error = result.dispatchError;
  if (error?.isModule) {
    const { section, name } = tx.registry.findMetaError(error.asModule);
    throw new Error(`${section}.${name}`);
  }
  if (error) throw new Error(`dispatched with ${error}`);
  return { statuses, block: result.status.asFinalized.toHex(), events: result.events.map(({ event }) => event) };
}

/** watched submits a signed transaction and resolves to all it is told of it, the last being that it is
 * final. signAndSend tells less: it looks up a block's events first, and forgets about the block if it
 * is final before they are there, as it may be within 100 ms. */
export async function watched(api, tx) {
  const statuses = [];
  await within(100_000, 'finality of a transaction', new Promise((resolve, reject) => {
    api.rpc.author.submitAndWatchExtrinsic(tx, (status) => {
      statuses.push(status);
      if (status.isFinalized) resolve();
    }).catch(reject);
  }));
  return statuses;
}
