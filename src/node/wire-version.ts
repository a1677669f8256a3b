/**
 * Which version of the wire two nodes speak. A program reads a range of versions, the one before
 * its own among them, and two programs speak the newest that both read: nodes of neighbouring
 * versions run together while one after the other is replaced. Until a peer has said what it reads,
 * it is spoken to in the oldest version; one that does not know the question is of version 1.
 */
export interface WireRange {
  /** Newest that is read, and written to whoever reads it too. */
  readonly version: number;
  /** Oldest that is read. */
  readonly minVersion: number;
}

/** What is read here. A change that version 1 cannot read makes it 2 and 1, the next 3 and 2. */
export const wireRange: WireRange = { version: 1, minVersion: 1 };

/** The version for two; `undefined` where there is none that both read. */
export function agreedVersion(own: WireRange, other: WireRange): number | undefined {
  const version = Math.min(own.version, other.version);
  return version >= own.minVersion && version >= other.minVersion ? version : undefined;
}

/** A range as a peer told it; `undefined` where that is none. */
export function readWireRange(told: unknown): WireRange | undefined {
  if (typeof told !== 'object' || told === null) return undefined;
  const { version, minVersion } = told as { version?: unknown; minVersion?: unknown };
  if (!isVersion(version) || !isVersion(minVersion) || minVersion > version) return undefined;
  return { version, minVersion };
}

const isVersion = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 255;

/** What this node knows of the versions of its peers. */
export class WireVersions {
  readonly own: WireRange;
  readonly #agreed = new Map<string, number>();
  readonly #foreign = new Map<string, string>();

  constructor(own: WireRange) {
    this.own = own;
  }

  /** Whether there is anything to agree on. */
  get asks(): boolean {
    return this.own.version > this.own.minVersion;
  }

  /** For what is written to a peer. */
  of(peer: string): number {
    return this.#agreed.get(peer) ?? this.own.minVersion;
  }

  /** A peer said what it reads. */
  heard(peer: string, range: WireRange): void {
    const version = agreedVersion(this.own, range);
    if (version !== undefined) {
      this.#agreed.set(peer, version);
      this.#foreign.delete(peer);
    } else {
      this.#foreign.set(peer, `${range.minVersion} to ${range.version}`);
    }
  }

  /** A frame of a version that is not read here. Answers whether that is news. */
  foreign(peer: string, version: number): boolean {
    const known = this.#foreign.has(peer);
    if (!known) this.#foreign.set(peer, String(version));
    return !known;
  }

  reads(version: number): boolean {
    return version >= this.own.minVersion && version <= this.own.version;
  }

  /** The peer may be another program when it comes back. */
  forget(peer: string): void {
    this.#agreed.delete(peer);
    this.#foreign.delete(peer);
  }

  /** Why a peer cannot be understood; `undefined` where it can. */
  why(peer: string): string | undefined {
    const versions = this.#foreign.get(peer);
    if (versions === undefined) return undefined;
    const { minVersion, version } = this.own;
    const here = `${minVersion} to ${version}`;
    return `it speaks wire version ${versions}, this node ${here}: upgrade the older one`;
  }
}
