/** What a node is made of: its settings, its ports, and how it tells that it ends. */
import type { PortRange, Resources, Tier } from '../model/resources.ts';
import type { BulkTransport } from '../ports/bulk.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Disk } from '../ports/disk.ts';
import type { Log } from '../ports/log.ts';
import type { Runner } from '../ports/runner.ts';
import type { Store } from '../ports/store.ts';
import type { Gossip, Transport } from '../ports/transport.ts';
import type { DiskSettings } from './disk-watch.ts';
import type { LogLimits } from './log-policy.ts';
import type { Contact } from './peers-file.ts';
import type { WireRange } from './wire-version.ts';

export interface NodeSettings {
  readonly name: string;
  readonly version: string;
  readonly tier: Tier;
  readonly total: Resources;
  /** TCP ports that tasks are given; as many as `total` says. */
  readonly ports?: PortRange | undefined;
  readonly labels: readonly (readonly [string, string])[];
  readonly zone: string;
  readonly httpAddress: string;
  /** Submits that may wait for consensus here; `limits.submitsInFlightMax` unless given. */
  readonly submitsInFlightMax?: number | undefined;
  readonly disk?: DiskSettings | undefined;
  /** For tests of versions to come. */
  readonly wire?: WireRange | undefined;
  /** The same: the cluster version that this program reads. */
  readonly clusterVersion?: number | undefined;
  readonly networkKey: Uint8Array;
  /** How long logs may get; the usual limits where it is not given. */
  readonly logLimits?: LogLimits | undefined;
  /** From the join token, for the first registration. */
  readonly joinSecret?: Uint8Array | undefined;
  /** Nodes to dial before the registry is known here. */
  readonly bootstrap: readonly Contact[];
}

export interface NodePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly transport: Transport;
  readonly gossip: Gossip;
  readonly bulk: BulkTransport;
  readonly runner: Runner;
  /** Not looked at where there is none. */
  readonly disk?: Disk | undefined;
}

export interface NodeEnd {
  /** A broken invariant or a fault that the node must not survive. */
  fatal(error: unknown): void;
  /** Every row of the store was read; until then whoever starts the node hears of its faults. */
  recovered?(): void;
  /** Somebody asked over the API that this node stops. */
  stopAsked(options: { readonly endTasks: boolean }): void;
}
