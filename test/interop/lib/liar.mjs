// Builds and starts the peers that light clients must not believe: see liar/doc.go.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { join } from 'node:path';
import { root, run } from './node.mjs';
import { within } from './judge.mjs';

/** buildLiar compiles the program into a directory and returns its path. */
export async function buildLiar(dir) {
  const program = join(dir, 'liar');
  await run('go', ['build', '-o', program, './test/interop/liar'], { cwd: root, timeout: 240_000 });
  return program;
}

/** startLiars starts a peer for each lie and returns their addresses by lie. */
export async function startLiars(program, { node, genesis, at = 0 }, lies) {
  // The program ends when its standard input closes, however this process ends.
  const child = spawn(program, ['-node', node, '-genesis', genesis, '-at', String(at), ...lies], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  try {
    const line = once(createInterface({ input: child.stdout }), 'line');
    const [text] = await within(60_000, `the liars for ${lies}`, Promise.race([line, ended.then(([code]) => { throw new Error(`liar ended with ${code}`); })]));
    return { addresses: JSON.parse(text), stop };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}
