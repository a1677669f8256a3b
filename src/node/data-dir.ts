/**
 * What lies in a node's data directory beside the store:
 *
 *   node.key       private key of the node, libp2p's form           0600
 *   network.key    key of the cluster's private network, 32 bytes   0600
 *   admin.token    bearer token of the first administrator          0600, first node only
 *   join.json      join token of a node that has not joined yet     0600
 *   peers.json     addresses of other nodes, for a node that loses its store      0600
 *   rebuild.json   there while a damaged store is replaced by a new one   0600
 *   lost.json      there once others told that the store forgot what it acknowledged     0600
 *   listen.json    ports chosen for other nodes, where any would do     0600
 *   http.address   where the HTTP API of the running node listens
 *   store/         LevelDB
 *   attempts/ ...  what the supervisor keeps
 */
import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TschedError } from '../model/errors.ts';
import { decodeJoinToken, type JoinToken } from '../registry/join-token.ts';

export class DataDir {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get store(): string {
    return join(this.path, 'store');
  }

  async make(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await chmod(this.path, 0o700);
  }

  /** Nothing of a node is in it. */
  async isEmpty(): Promise<boolean> {
    try {
      return (await readdir(this.path)).length === 0;
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
  }

  /** Whether a store was made here. */
  async hasStore(): Promise<boolean> {
    try {
      return (await readdir(this.store)).length > 0;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Whether a damaged store was put aside here. */
  async hasQuarantine(): Promise<boolean> {
    try {
      return (await readdir(this.path)).some(name => name.startsWith('quarantine-'));
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(join(this.path, name)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async readText(name: string): Promise<string | undefined> {
    const bytes = await this.read(name);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8').trim();
  }

  /** Atomic: the file is there whole or not at all. */
  async write(name: string, content: Uint8Array | string, mode: number): Promise<void> {
    const path = join(this.path, name);
    await writeFile(`${path}.new`, content, { mode, flush: true });
    await rename(`${path}.new`, path);
    const directory = await open(this.path, 'r');
    try {
      // The name, too, has to survive a power cut: without its key a node is lost.
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /**
   * Takes away what the making of a node left here when it failed, so that it can be tried again.
   * The directory was empty before.
   */
  async clear(): Promise<void> {
    for (const name of await readdir(this.path)) {
      await rm(join(this.path, name), { recursive: true, force: true });
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.path, name), { force: true });
  }

  /** Private files, read for a start. Throws `dataDirForeign` where they are incomplete. */
  async keys(): Promise<{ privateKey: Uint8Array; networkKey: Uint8Array }> {
    const privateKey = await this.read('node.key');
    const networkKey = await this.read('network.key');
    if (privateKey === undefined || networkKey === undefined) {
      throw new TschedError(
        'dataDirForeign',
        `${this.path} holds files, but no node: node.key or network.key is missing`,
      );
    }
    return { privateKey, networkKey };
  }
}

/** Reads a join token as a person pasted it; throws `badToken` with what is wrong with it. */
export function readJoinToken(text: string): JoinToken {
  const reading = decodeJoinToken(text.trim());
  if (!reading.ok) throw new TschedError('badToken', reading.message);
  return reading;
}

/** The node ids in multiaddresses that end in /p2p/ID. */
export function bootstrapOf(
  addresses: readonly string[],
): { readonly node: string; readonly addresses: string[] }[] {
  const found = new Map<string, string[]>();
  for (const address of addresses) {
    const node = /\/p2p\/([A-Za-z0-9]+)$/.exec(address)?.[1];
    if (node === undefined) continue;
    found.set(node, [...(found.get(node) ?? []), address]);
  }
  return [...found].map(([node, known]) => ({ node, addresses: known }));
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
