// Preloaded into tools that expect a global WebSocket, which Node.js has from 22 on.
import { WebSocket } from 'ws';

globalThis.WebSocket ??= WebSocket;
