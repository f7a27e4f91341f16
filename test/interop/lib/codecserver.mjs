// Talks to our codec: test/interop/codecserver reads lines "typeId hex" and
// answers each with the hex of the value decoded and encoded again, or with
// "error: reason". Type ids are those of the registry of metadata V15.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { root } from './node.mjs';

export class CodecServer {
  constructor() {
    this.waiting = [];
    this.stderr = '';
    this.child = spawn('go', ['run', './test/interop/codecserver'], { cwd: root, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr = (this.stderr + text).slice(-4000); });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()?.resolve(line));
    this.child.on('close', (code) => {
      const error = new Error(`codecserver ended with ${code}: ${this.stderr}`);
      for (const { reject } of this.waiting.splice(0)) reject(error);
      this.closed = error;
    });
  }

  /** reencode resolves to the hex our codec answers, or to "error: …". */
  reencode(id, hex) {
    if (this.closed) return Promise.reject(this.closed);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(`${id} ${hex}\n`);
    });
  }

  async stop() {
    if (this.closed) return;
    const ended = new Promise((done) => this.child.on('close', done));
    this.child.stdin.end();
    const timer = setTimeout(() => process.kill(-this.child.pid, 'SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }
}
