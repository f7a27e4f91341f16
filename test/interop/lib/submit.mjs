// A program of its own: a client over smoldot signs and submits a transfer, and waits
// until it is final. A process for each, since what a client does when its smoldot has
// panicked is its own affair, and so that smoldot has a thread for itself.
//
//   node submit.mjs polkadot.js|PAPI tcp|ws FROM TO AMOUNT <chain-spec.json
//
// It prints the hash of the block; its exit code is smoldotFailed if smoldot itself is
// why there is none: it panicked, or never told a node of the transaction.
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { ApiPromise, Keyring, ScProvider } from '@polkadot/api';
import { createClient, Enum } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getSmProvider } from 'polkadot-api/sm-provider';
import { within } from './judge.mjs';
import { smoldot } from './light.mjs';
import { send } from './transaction.mjs';

const program = fileURLToPath(import.meta.url);
const smoldotFailed = 75;
const patience = 300_000;

/** submitOverSmoldot runs the program and resolves to the hash of the block that the transfer
 * is final in, or to null if smoldot is why there is none; and to what was logged. */
export async function submitOverSmoldot({ client, transport, chainSpec, from, to, amount }) {
  const child = spawn(process.execPath, [program, client, transport, from, to, String(amount)], { timeout: patience, killSignal: 'SIGKILL' });
  child.stdin.on('error', () => {}).end(chainSpec); // it may have ended
  const [out, log, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))]);
  if (code === 0) return { block: out.trim(), log };
  if (code === smoldotFailed) return { block: null, log };
  throw new Error(`${client} over smoldot ended with ${code}\n${log.slice(-8000)}`);
}

/** clients sign and submit a transfer; each resolves to the block's hash. */
const clients = {
  async 'polkadot.js'(light, chainSpec, from, to, amount) {
    const connect = { // what ScProvider wants of a package that brings smoldot
      WellKnownChain: {},
      createScClient: () => ({
        addChain: async (spec, onResponse) => {
          const chain = await light.addChain({ chainSpec: spec });
          (async () => { for await (const response of chain.jsonRpcResponses) onResponse(response); })();
          return { sendJsonRpc: (request) => chain.sendJsonRpc(request), remove: () => {} };
        },
      }),
    };
    const provider = new ScProvider(connect, chainSpec);
    await within(60_000, 'ScProvider', provider.connect());
    const api = await within(100_000, 'ApiPromise over smoldot', ApiPromise.create({ provider, noInitWarn: true }));
    return (await send(api.tx.balances.transferKeepAlive(to, amount), from)).block;
  },

  async PAPI(light, chainSpec, from, to, amount) {
    const client = createClient(getSmProvider(() => light.addChain({ chainSpec })));
    const signer = getPolkadotSigner(from.publicKey, 'Sr25519', (input) => from.sign(input));
    const tx = client.getUnsafeApi().tx.Balances.transfer_keep_alive({ dest: Enum('Id', to), value: amount });
    const result = await within(100_000, 'finality of a transaction', tx.signAndSubmit(signer));
    if (!result.ok) throw new Error(`dispatched with ${JSON.stringify(result.dispatchError)}`);
    return result.block.hash;
  },
};

let announced = false; // whether a node has been told of the transaction

// How smoldot says that it has panicked: who waited for it then is told that it was destroyed, which nobody does here.
const panicked = ['CrashError', 'AlreadyDestroyedError'];

// end ends the program; an error of smoldot's own comes here too, whoever met it first.
function end(error) {
  console.error(error);
  process.exit(panicked.includes(error.name) || (/^finality/.test(error.message) && !announced) ? smoldotFailed : 1);
}

async function main([client, transport, from, to, amount]) {
  process.on('uncaughtException', end);
  const light = smoldot(transport, (level, target, message) => {
    if (!/^tx-service/.test(target)) return;
    console.error(`${level} ${target}: ${message.slice(0, 300)}`);
    announced ||= /^announced-to-network.*peers=\w/.test(message);
    if (/^discarded.*Inaccessible\(\[\]\)/.test(message)) process.exit(smoldotFailed); // it asked nobody, and dropped the transaction
  });
  const chainSpec = await text(process.stdin);
  const watch = await light.addChain({ chainSpec });
  watch.nextJsonRpcResponse().catch(end); // there is none: it waits for a panic
  const signer = new Keyring({ type: 'sr25519', ss58Format: 66 }).addFromUri(`//${from}`);
  console.log(await clients[client](light, chainSpec, signer, to, BigInt(amount)));
  process.exit(0);
}

if (process.argv[1] === program) await main(process.argv.slice(2)).catch(end);
