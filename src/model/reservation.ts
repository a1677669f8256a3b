/** Room that is held on nodes for a tenant until a date (ADR 0030). */
import type { NodeId } from './ids.ts';
import {
  formatSize,
  type ResourceName,
  type Resources,
  resourceNames,
  type Tier,
} from './resources.ts';

/** What somebody wants to be held: on nodes that are named, or on so many that fit. */
export interface ReservationAsk {
  readonly name: string;
  readonly tenant: string;
  /** On each node. */
  readonly amount: Resources;
  readonly untilMs: number;
  /** Where they are named. */
  readonly nodes: readonly NodeId[];
  /** Else how many, and what they have to be. */
  readonly count: number;
  readonly tier: Tier;
  readonly require: readonly (readonly [string, string])[];
}

/** One of it on one node, as people see it. */
export interface ReservationPart {
  readonly node: NodeId;
  readonly nodeName: string;
  /** False once the node has left, is dead, or drains: its part has gone with it. */
  readonly held: boolean;
  /** Taken by tasks that name the reservation; missing where the node was not heard of lately. */
  readonly used?: Resources | undefined;
}

export interface ReservationView {
  readonly name: string;
  readonly tenant: string;
  /** Name of the token that made it. */
  readonly by: string;
  readonly createdAtMs: number;
  readonly untilMs: number;
  /** On each node. */
  readonly amount: Resources;
  readonly parts: readonly ReservationPart[];
}

/** Names a share: under the name of another tenant's reservation there is none. */
export const shareKey = ({ name, tenant }: { name: string; tenant: string }): string =>
  `${name.length}:${name}${tenant}`;

const words: Record<ResourceName, (amount: number) => string> = {
  cpuMilli: milli => `${milli / 1_000} cpu`,
  memoryBytes: bytes => `${formatSize(bytes)} memory`,
  diskBytes: bytes => `${formatSize(bytes)} disk`,
  iops: count => `${count} iops`,
  bandwidth: bytes => `${formatSize(bytes)}/s bandwidth`,
  ports: count => `${count} ports`,
};

/** `2 cpu, 4GiB memory`: what is not zero of an amount. */
export function describeResources(resources: Resources): string {
  const told = resourceNames.filter(name => resources[name] > 0);
  return told.map(name => words[name](resources[name])).join(', ') || 'nothing';
}
