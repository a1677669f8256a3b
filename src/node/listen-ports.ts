/**
 * Which ports a node listens on for other nodes where it was told to take any (`/tcp/0`): one is
 * chosen once and kept in `listen.json` of the data directory. Nodes that were down together know
 * each other's addresses of before only: with other ports they would never meet again.
 */
import { createServer } from 'node:net';
import type { DataDir } from './data-dir.ts';

const file = 'listen.json';
const fixedPort = /^\/ip([46])\/([^/]+)\/tcp\/(\d+)$/;
const anyPort = /^\/ip([46])\/([^/]+)\/tcp\/0(?=\/|$)/;

/** `wanted`, or a free port for 0; nobody listens on it when this resolves. */
function bindable(host: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port: wanted, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}

/** A free port at or instead of `wanted`. */
async function freePort(host: string, wanted: number): Promise<number> {
  try {
    return await bindable(host, wanted);
  } catch (error) {
    // Somebody took it meanwhile: any other one will do.
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!taken || wanted === 0) throw error;
    return bindable(host, 0);
  }
}

async function readPorts(dir: DataDir): Promise<Map<string, number>> {
  const text = await dir.readText(file);
  return new Map(text === undefined ? [] : Object.entries(JSON.parse(text) as object));
}

/**
 * `listen` with the port of the last start in place of 0. Rejects with the system's error where an
 * address cannot be listened on.
 */
export async function keepPorts(dir: DataDir, listen: readonly string[]): Promise<string[]> {
  const before = await readPorts(dir);
  const ports = new Map<string, number>();
  const chosen: string[] = [];
  for (const [place, address] of listen.entries()) {
    const match = anyPort.exec(address);
    if (match === null) {
      const fixed = fixedPort.exec(address);
      // Tried here, so that the system's own words say what is wrong with it.
      if (fixed !== null) await bindable(fixed[2]!, Number(fixed[3]));
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
