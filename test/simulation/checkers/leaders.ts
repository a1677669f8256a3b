/** Election safety: one leader per group and term; and what a process knows never goes back. */
import type { Replica } from '../../../src/node/replica.ts';
import type { SimNode } from '../sim-node.ts';
import type { Trace } from '../trace.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';

interface Seen {
  term: number;
  committed: number;
  applied: number;
  role: string;
}

export class LeadersChecker implements Checker {
  readonly #trace: Trace;
  /** Leader by `group.term`. */
  readonly #leaders = new Map<string, string>();
  /** Newest term of each replica over all its lives: it is durable before anybody hears of it. */
  readonly #seen = new WeakMap<Replica, Seen>();

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  afterEvent(node: SimNode): void {
    if (node.node === undefined) return;
    for (const replica of node.node.loop.replicas()) this.#look(node, replica);
  }

  #look(node: SimNode, replica: Replica): void {
    const { core, group, applied } = replica;
    const { term, committed, role } = core;
    const seen = this.#seen.get(replica);
    if (seen === undefined) {
      this.#seen.set(replica, { term, committed, applied, role: 'follower' });
      return;
    }
    check(term >= seen.term, () => `${node.id} group ${group}: term ${term} after ${seen.term}`);
    check(
      committed >= seen.committed,
      () => `${node.id} group ${group}: commit ${committed} after ${seen.committed}`,
    );
    check(applied <= committed, () => `${node.id} group ${group}: ${applied} applied uncommitted`);
    check(applied >= seen.applied, () => `${node.id} group ${group}: applied went back`);
    if (role === 'leader' && (seen.role !== 'leader' || seen.term !== term)) {
      const key = `${group}.${term}`;
      const name = `${node.id}/${core.id}`;
      const other = this.#leaders.get(key);
      check(
        other === undefined || other === name,
        () => `two leaders of group ${group} in term ${term}: ${other} and ${name}`,
      );
      this.#leaders.set(key, name);
      this.#trace.note(node.id, `leads group ${group} in term ${term}`);
    } else if (role !== 'leader' && seen.role === 'leader') {
      this.#trace.note(node.id, `no longer leads group ${group}, now ${role} in term ${term}`);
    }
    seen.term = term;
    seen.committed = committed;
    seen.applied = applied;
    seen.role = role;
  }
}
