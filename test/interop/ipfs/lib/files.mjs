// Files and directories to store, and whether they came back.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export const KiB = 1 << 10;
export const MiB = 1 << 20;

/** write makes a file, with random bytes if a length is given, and the directories above it. */
export async function write(path, content) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof content === 'number' ? randomBytes(content) : content);
  return path;
}

/** sparse makes a file of zeros that takes no space, and the directories above it. */
export async function sparse(path, bytes) {
  await write(path, '');
  await truncate(path, bytes);
  return path;
}

/** tree is all that lies in a file or directory, by name: the hash of each file, and null for a directory. */
export async function tree(path, name = '.', all = {}) {
  if (!(await stat(path)).isDirectory()) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    all[name] = hash.digest('hex');
    return all;
  }
  all[name] = null;
  for (const entry of await readdir(path)) await tree(join(path, entry), `${name}/${entry}`, all);
  return all;
}

/** same demands that two files or directories are equal to the byte. */
export async function same(got, want, message) {
  assert.deepEqual(await tree(got), await tree(want), message);
}
