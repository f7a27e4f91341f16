// A program, for Node.js 22: reads a graph with helia and writes it to a directory.
//
//   node helia.mjs bitswap CID MULTIADDRESS OUT
//   node helia.mjs http CID URL OUT
//
// It asks the node that is named, and nobody else.
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { withBitswap } from '@helia/bitswap';
import { withHTTP } from '@helia/http';
import { withLibp2pLight } from '@helia/libp2p';
import { unixfs } from '@helia/unixfs';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createHeliaLight } from 'helia';
import { CID } from 'multiformats/cid';

const patienceMs = 80_000;
const [way, text, from, out] = process.argv.slice(2);
const signal = AbortSignal.timeout(patienceMs);
setTimeout(() => { console.error(`not read within ${patienceMs} ms`); process.exit(1); }, patienceMs); // and keeps the process alive

/** open makes a helia that knows one way to one node. */
async function open() {
  if (way === 'http') {
    // Its default configuration asks a public router.
    const helia = withHTTP(createHeliaLight(), { recursiveGateways: [from], delegatedRouters: [], allowInsecure: true, allowLocal: true });
    helia.addRouter({ name: 'nobody', toString: () => 'nobody', async* findProviders() {} }); // without any it waits for ever
    await helia.start();
    return helia;
  }
  const helia = withBitswap(withLibp2pLight(createHeliaLight(), {
    addresses: { listen: [] }, transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()],
    peerDiscovery: [], services: { identify: identify() },
  }));
  await helia.start();
  await helia.libp2p.dial(multiaddr(from), { signal });
  return helia;
}

/** save writes what a CID is to a path, and what is below it. */
async function save(fs, cid, path) {
  const stat = await fs.stat(cid, { signal });
  if (stat.type === 'file' || stat.type === 'raw') return pipeline(fs.cat(cid, { signal }), createWriteStream(path));
  await mkdir(path);
  for await (const entry of fs.ls(cid, { signal })) await save(fs, entry.cid, join(path, entry.name));
}

const helia = await open();
await save(unixfs(helia), CID.parse(text), out);
process.exit(0); // it leaves timers behind
