// Verifies read proofs of the state trie (radix 16, BLAKE2b-256, state versions 0
// and 1), written against the published node format and nothing of ours.
import { u8aEq, u8aToHex, compactFromU8a } from '@polkadot/util';
import { blake2AsU8a } from '@polkadot/util-crypto';

const nibbles = (key) => Array.from(key).flatMap((b) => [b >> 4, b & 15]);

// Header patterns: [mask, pattern, has children, value]
const kinds = [
  [0b11000000, 0b01000000, false, 'inline'],
  [0b11000000, 0b10000000, true, 'none'],
  [0b11000000, 0b11000000, true, 'inline'],
  [0b11100000, 0b00100000, false, 'hash'],
  [0b11110000, 0b00010000, true, 'hash'],
];

/** decode splits an encoded trie node into its parts. */
function decode(node) {
  if (node.length === 1 && node[0] === 0) return { partial: [], children: [] };
  const kind = kinds.find(([mask, pattern]) => (node[0] & mask) === pattern);
  if (!kind) throw new Error(`unknown node header ${node[0]}`);
  const [mask, , branch, held] = kind;
  let at = 1;
  let length = node[0] & ~mask & 0xff;
  if (length === (~mask & 0xff)) {
    do length += node[at]; while (node[at++] === 255);
  }
  const bytes = (length + 1) >> 1;
  const partial = nibbles(node.subarray(at, at + bytes)).slice(length % 2);
  at += bytes;
  let bitmap = 0;
  if (branch) {
    bitmap = node[at] | (node[at + 1] << 8);
    at += 2;
  }
  const field = () => {
    const [skip, size] = compactFromU8a(node.subarray(at));
    at += skip + size.toNumber();
    return node.subarray(at - size.toNumber(), at);
  };
  const out = { partial, children: [] };
  if (held === 'inline') out.value = field();
  if (held === 'hash') { out.valueHash = node.subarray(at, at + 32); at += 32; }
  for (let i = 0; i < 16; i++) if (bitmap & (1 << i)) out.children[i] = field();
  if (at !== node.length) throw new Error('trailing bytes in a trie node');
  return out;
}

/** readProven returns the value the proof holds for the key, or null if the proof
 * shows that there is none; it throws if the proof does not lead to an answer. */
export function readProven(rootHash, proof, key) {
  const byHash = new Map(proof.map((node) => [u8aToHex(blake2AsU8a(node)), node]));
  const open = (reference) => {
    const found = byHash.get(u8aToHex(reference));
    if (!found) throw new Error(`the proof lacks ${u8aToHex(reference)}`);
    return found;
  };
  let path = nibbles(key);
  let node = decode(open(rootHash));
  for (;;) {
    if (!u8aEq(Uint8Array.from(node.partial), Uint8Array.from(path.slice(0, node.partial.length)))) return null;
    if (path.length < node.partial.length) return null;
    path = path.slice(node.partial.length);
    if (path.length === 0) {
      if (node.valueHash) return open(node.valueHash);
      return node.value ?? null;
    }
    const child = node.children[path[0]];
    if (!child) return null;
    path = path.slice(1);
    node = decode(child.length === 32 ? open(child) : child);
  }
}
