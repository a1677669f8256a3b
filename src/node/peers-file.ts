/**
 * `peers.json` of a data directory: whom to ask where the store, which knows them too, is damaged,
 * and whether others have what it holds (ADR 0024): a store that lost its newest batches names the
 * members of before. Only addresses are in it, no secret; who lives there is proven by the
 * connection. It is written seldom: when the node is ready, and when what it says has changed.
 */
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { hashText } from '../model/slots.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { NodeState } from '../registry/state.ts';
import type { DataDir } from './data-dir.ts';

const file = 'peers.json';
const version = 1;
const addressCharactersMax = 256;
/** Between two looks, and so between two writes. */
const everyMs = 60_000;

/** A node and where it listens for others. */
export interface Contact {
  readonly node: NodeId;
  readonly addresses: readonly string[];
}

interface KnownPeers {
  readonly clusterId: string;
  /** Groups of which this node was the only voter. */
  readonly alone: number;
  readonly nodes: readonly Contact[];
}

type PeerRow = Contact & { readonly state: NodeState };

/** `undefined` where there is none, or none that can be read. */
export async function readPeers(dir: DataDir): Promise<KnownPeers | undefined> {
  const text = await dir.readText(file);
  if (text === undefined) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    // The disk that it lies on is the one that is in doubt.
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
  const found = (read ?? {}) as Readonly<Record<string, unknown>>;
  const { clusterId, alone, nodes } = found;
  if (found['version'] !== version || typeof clusterId !== 'string') return undefined;
  if (typeof alone !== 'number' || !Array.isArray(nodes)) return undefined;
  return { clusterId, alone, nodes: nodes.flatMap(contactOf).slice(0, limits.contactsMax) };
}

function contactOf(row: unknown): Contact[] {
  const { node, addresses } = (row ?? {}) as { node?: unknown; addresses?: unknown };
  if (typeof node !== 'string' || !Array.isArray(addresses)) return [];
  const texts = addresses.filter((address): address is string => isAddress(address));
  if (texts.length === 0) return [];
  return [{ node, addresses: texts.slice(0, limits.contactAddressesMax) }];
}

const isAddress = (address: unknown): boolean =>
  typeof address === 'string' && address.length <= addressCharactersMax;

/** Those that can be asked, of many a few, and not the same few for every node. */
function contactsOf(self: NodeId, peers: readonly PeerRow[]): Contact[] {
  const rank = (node: NodeId): number => hashText(`${self} ${node}`);
  return peers
    .filter(({ node, state }) => node !== self && state !== 'removed' && state !== 'dead')
    .sort((left, right) => rank(left.node) - rank(right.node))
    .flatMap(contactOf)
    .slice(0, limits.contactsMax);
}

export class PeersFile {
  readonly #dir: DataDir;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #clusterId: string;
  readonly #self: NodeId;
  readonly #peers: () => readonly PeerRow[];
  readonly #alone: () => number;
  #written = '';
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;
  #cancel: () => void = () => undefined;

  constructor(deps: {
    readonly dir: DataDir;
    readonly clock: Clock;
    readonly log: Log;
    readonly clusterId: string;
    readonly self: NodeId;
    /** What the registry here says of all nodes. */
    peers(): readonly PeerRow[];
    /** Groups of which this node is the only voter. */
    alone(): number;
  }) {
    this.#dir = deps.dir;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#clusterId = deps.clusterId;
    this.#self = deps.self;
    this.#peers = () => deps.peers();
    this.#alone = () => deps.alone();
  }

  /** Looks now, and from time to time. */
  start(): void {
    if (this.#stopped) return;
    this.#writing = this.#look().catch((error: unknown) => {
      this.#log.warn('cannot keep the addresses of other nodes', { why: String(error) });
    });
    this.#cancel = this.#clock.after(everyMs, () => this.start());
  }

  async #look(): Promise<void> {
    const nodes = contactsOf(this.#self, this.#peers());
    const known: KnownPeers = { clusterId: this.#clusterId, alone: this.#alone(), nodes };
    const text = `${JSON.stringify({ version, ...known })}\n`;
    if (text === this.#written) return;
    await this.#dir.write(file, text, 0o600);
    this.#written = text;
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#writing;
  }
}
