/**
 * The live attempts of a shard by node, and what they hold by tenant. Not replicated: it follows
 * from the rows.
 */
import { assert } from '../model/assert.ts';
import type { NodeId } from '../model/ids.ts';
import {
  addResources,
  noResources,
  type Resources,
  subtractResources,
} from '../model/resources.ts';
import type { SpecTable, Traits } from './memory/spec-table.ts';
import type { AttemptRecord } from './memory/task-detail.ts';
import type { TaskTable } from './memory/task-table.ts';

export class LiveAttempts {
  readonly #table: TaskTable;
  readonly #specs: SpecTable;
  readonly #byNode = new Map<NodeId, Set<number>>();
  readonly #byTenant = new Map<string, { attempts: number; held: Resources }>();

  constructor(table: TaskTable, specs: SpecTable) {
    this.#table = table;
    this.#specs = specs;
  }

  #traits(row: number): Traits {
    return this.#specs.traits(this.#table.spec(row));
  }

  get(row: number): AttemptRecord | undefined {
    return this.#table.detail(row)?.live;
  }

  set(row: number, attempt: AttemptRecord): void {
    this.#table.ensureDetail(row).live = attempt;
    let rows = this.#byNode.get(attempt.node);
    if (rows === undefined) {
      rows = new Set();
      this.#byNode.set(attempt.node, rows);
    }
    rows.add(row);
  }

  /** Counts what a live attempt holds; its spec is known. */
  count(row: number): void {
    const { tenant, demand } = this.#traits(row);
    const use = this.#byTenant.get(tenant) ?? { attempts: 0, held: noResources };
    const held = addResources(use.held, demand.request);
    this.#byTenant.set(tenant, { attempts: use.attempts + 1, held });
  }

  end(row: number): AttemptRecord {
    const detail = this.#table.ensureDetail(row);
    const { live } = detail;
    assert(live, 'only a live attempt ends');
    detail.live = undefined;
    const rows = this.#byNode.get(live.node);
    rows?.delete(row);
    if (rows?.size === 0) this.#byNode.delete(live.node);
    const { tenant, demand } = this.#traits(row);
    const use = this.#byTenant.get(tenant);
    assert(use, 'the tenant of a live attempt uses something');
    if (use.attempts === 1) this.#byTenant.delete(tenant);
    else {
      const held = subtractResources(use.held, demand.request);
      this.#byTenant.set(tenant, { attempts: use.attempts - 1, held });
    }
    return live;
  }

  /** Rows with a live attempt, of one node or of all, in ID order. */
  rows(node?: NodeId): number[] {
    const rows: number[] = [];
    if (node !== undefined) rows.push(...(this.#byNode.get(node) ?? []));
    else for (const ofNode of this.#byNode.values()) rows.push(...ofNode);
    return rows.sort((left, right) => (this.#table.isIdBefore(left, right) ? -1 : 1));
  }

  /** How many attempts each tenant has, and what they hold. */
  get byTenant(): ReadonlyMap<string, { readonly attempts: number; readonly held: Resources }> {
    return this.#byTenant;
  }
}
