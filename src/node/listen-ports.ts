/**
 * Which ports a node listens on for other nodes where it was told to take any (`/tcp/0`): one is
 * chosen once and kept in `listen.json` of the data directory. Nodes that were down together know
 * each other's addresses of before only: with other ports they would never meet again.
 */
import { createServer } from 'node:net';
import type { DataDir } from './data-dir.ts';

const file = 'listen.json';
const anyPort = /^\/ip([46])\/([^/]+)\/tcp\/0(?=\/|$)/;

/** A free port at or instead of `wanted`; nobody listens on it when this resolves. */
function freePort(host: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      // Somebody took it meanwhile: any other one will do.
      if (error.code === 'EADDRINUSE' && wanted !== 0) resolve(freePort(host, 0));
      else reject(error);
    });
    server.listen({ host, port: wanted, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}

async function readPorts(dir: DataDir): Promise<Map<string, number>> {
  const text = await dir.readText(file);
  return new Map(text === undefined ? [] : Object.entries(JSON.parse(text) as object));
}

/** `listen` with the port of the last start in place of 0. Rejects where a host cannot be bound. */
export async function keepPorts(dir: DataDir, listen: readonly string[]): Promise<string[]> {
  const before = await readPorts(dir);
  const ports = new Map<string, number>();
  const chosen: string[] = [];
  for (const [place, address] of listen.entries()) {
    const match = anyPort.exec(address);
    if (match === null) {
      chosen.push(address);
      continue;
    }
    const key = `${place} ${address}`;
    const port = await freePort(match[2]!, before.get(key) ?? 0);
    ports.set(key, port);
    chosen.push(address.replace(/\/tcp\/0(?=\/|$)/, `/tcp/${port}`));
  }
  const same =
    ports.size === before.size && [...ports].every(([k, port]) => before.get(k) === port);
  if (!same) await dir.write(file, JSON.stringify(Object.fromEntries(ports)), 0o600);
  return chosen;
}
