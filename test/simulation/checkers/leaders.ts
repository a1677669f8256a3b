/**
 * Election safety: one leader per group and term. Leader completeness: whoever becomes leader has
 * everything that was committed before. And what a process knows never goes back.
 */
import type { Replica } from '../../../src/node/replica.ts';
import type { SimNode } from '../sim-node.ts';
import type { Trace } from '../trace.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';
import type { CommittedChecker } from './committed.ts';

interface Seen {
  term: number;
  committed: number;
  applied: number;
  role: string;
}

export class LeadersChecker implements Checker {
  readonly #trace: Trace;
  readonly #committed: CommittedChecker;
  /** Leader by `group.term`. */
  readonly #leaders = new Map<string, string>();
  /** Newest term of each replica over all its lives: it is durable before anybody hears of it. */
  readonly #seen = new WeakMap<Replica, Seen>();

  constructor(trace: Trace, committed: CommittedChecker) {
    this.#trace = trace;
    this.#committed = committed;
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
      this.#complete(node, replica);
      this.#trace.note(node.id, `leads group ${group} in term ${term}`);
    } else if (role !== 'leader' && seen.role === 'leader') {
      this.#trace.note(node.id, `no longer leads group ${group}, now ${role} in term ${term}`);
    }
    seen.term = term;
    seen.committed = committed;
    seen.applied = applied;
    seen.role = role;
  }

  /** Logs match, so the newest entry that was applied anywhere stands for all before it. */
  #complete(node: SimNode, replica: Replica): void {
    const { core, group, log } = replica;
    const entries = this.#committed.groups.get(group)?.entries ?? [];
    const said = (): string =>
      `${node.id} leads group ${group} in term ${core.term} without entry ${entries.length}`;
    check(core.lastIndex >= entries.length, said);
    if (entries.length > core.stableIndex) return;
    const term = log.term(entries.length);
    check(typeof term !== 'number' || term === (entries.at(-1)?.term ?? 0), said);
  }
}
