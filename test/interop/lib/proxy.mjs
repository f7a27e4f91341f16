// A WebSocket proxy that records the methods a client calls and can hide some of
// them: they leave rpc_methods, and calling them is an error.
import { WebSocket, WebSocketServer } from 'ws';
import { once } from 'node:events';

export class Proxy {
  constructor(server, target, hide) {
    Object.assign(this, { server, hide, called: new Set(), url: `ws://127.0.0.1:${server.address().port}` });
    server.on('connection', (client) => this.bridge(client, new WebSocket(target)));
  }

  bridge(client, node) {
    const listing = new Set(); // ids of rpc_methods requests on their way
    const queue = [];
    node.on('open', () => { for (const text of queue.splice(0)) node.send(text); });
    client.on('message', (data) => {
      const request = JSON.parse(data.toString());
      const method = String(request.method);
      this.called.add(method);
      if (this.hide(method)) {
        client.send(JSON.stringify({ jsonrpc: '2.0', id: request.id, error: { code: -32601, message: 'Method not found' } }));
        return;
      }
      if (method === 'rpc_methods') listing.add(request.id);
      if (node.readyState === WebSocket.OPEN) node.send(data.toString());
      else queue.push(data.toString());
    });
    node.on('message', (data) => {
      const answer = JSON.parse(data.toString());
      if (listing.delete(answer.id)) answer.result.methods = answer.result.methods.filter((m) => !this.hide(m));
      client.send(JSON.stringify(answer));
    });
    client.on('close', () => node.terminate());
    node.on('close', () => client.close());
    for (const socket of [client, node]) socket.on('error', () => socket.terminate());
  }

  async stop() {
    for (const client of this.server.clients) client.terminate();
    this.server.close();
    await once(this.server, 'close');
  }
}

export async function startProxy(target, hide = () => false) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return new Proxy(server, target, hide);
}
