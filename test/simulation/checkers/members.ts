/**
 * Membership. A configuration index means the same configuration on every replica; each follows
 * from the one before by one simple change, or enters or leaves a joint phase, so that any two
 * neighbours have overlapping majorities. The number of a replica means one disk for ever.
 */
import type { Replica } from '../../../src/node/replica.ts';
import type { ConfState } from '../../../src/raft/message.ts';
import type { SimNode } from '../sim-node.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';

export class MembersChecker implements Checker {
  readonly #seen = new WeakMap<Replica, number>();
  /** By group: configurations by their index, in the order in which they were first applied. */
  readonly #confs = new Map<number, Map<number, ConfState>>();
  /** By group and number of a replica: node and store. */
  readonly #owners = new Map<string, string>();

  afterEvent(node: SimNode): void {
    if (node.node === undefined) return;
    for (const replica of node.node.loop.replicas()) {
      const { confIndex } = replica.descriptor;
      const seen = this.#seen.get(replica);
      if (seen === confIndex) continue;
      this.#seen.set(replica, confIndex);
      if (seen === undefined) this.#owner(node, replica);
      this.#conf(node, replica);
    }
  }

  #owner(node: SimNode, replica: Replica): void {
    const name = `${replica.group}.${replica.id}`;
    const owner = `${node.id} on ${node.disk.header?.storeId}`;
    const known = this.#owners.get(name);
    check(
      known === undefined || known === owner,
      () => `replica ${replica.id} of group ${replica.group} is ${owner} and was ${known}`,
    );
    this.#owners.set(name, owner);
  }

  #conf(node: SimNode, replica: Replica): void {
    const { group, descriptor } = replica;
    const { conf, confIndex } = descriptor;
    // A new replica has been told nothing yet.
    if (conf.voters.length === 0) return;
    let confs = this.#confs.get(group);
    if (confs === undefined) {
      confs = new Map();
      this.#confs.set(group, confs);
    }
    const known = confs.get(confIndex);
    const said = (): string => `${node.id} group ${group}, configuration ${confIndex}`;
    if (known !== undefined) {
      check(nameOf(known) === nameOf(conf), () => `${said()}: ${nameOf(conf)}, ${nameOf(known)}`);
      return;
    }
    const last = [...confs.keys()].at(-1);
    const before = last === undefined ? undefined : confs.get(last);
    confs.set(confIndex, conf);
    if (last === undefined || before === undefined) return;
    check(confIndex > last, () => `${said()} was first applied after ${last}`);
    check(
      areNeighbours(before, conf),
      () => `${said()}: ${nameOf(conf)} follows ${nameOf(before)} in one step`,
    );
  }
}

const nameOf = ({ voters, votersOutgoing, learners, learnersNext }: ConfState): string =>
  [voters, votersOutgoing, learners, learnersNext].map(ids => ids.join()).join('|');

const areSame = (left: readonly number[], right: readonly number[]): boolean =>
  new Set(left).symmetricDifference(new Set(right)).size === 0;

function areNeighbours(before: ConfState, after: ConfState): boolean {
  const wasJoint = before.votersOutgoing.length > 0;
  if (wasJoint) return after.votersOutgoing.length === 0 && areSame(before.voters, after.voters);
  if (after.votersOutgoing.length > 0) return areSame(before.voters, after.votersOutgoing);
  return new Set(before.voters).symmetricDifference(new Set(after.voters)).size <= 1;
}
