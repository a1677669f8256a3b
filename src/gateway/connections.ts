/**
 * Connections on which nothing was asked yet. Node counts them as busy when it closes the idle
 * ones; a client that connects ahead, as browsers and pools do, must not hold up the stop of a
 * node.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class SilentConnections {
  readonly #silent = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#silent.add(socket);
      socket.once('close', () => this.#silent.delete(socket));
    });
    server.on('request', request => this.#silent.delete(request.socket));
  }

  close(): void {
    for (const socket of this.#silent) socket.destroy();
  }
}
