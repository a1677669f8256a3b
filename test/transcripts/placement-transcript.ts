/**
 * The planner by text commands: nodes and tasks are listed, `plan` places them. Every placement is
 * counted as reserved afterwards, as a leader would until the node advertises again.
 *
 *   node NAME tier=T cpu=TOTAL free=F room=N age=MS cool=UNTIL labels=(k:v ..) draining bare
 *   ready TASK.. cpu=N tier=T since=MS avoid=(NODE ..) require=(k:v ..) prefer=(k:v ..)
 *         spread=LABEL group=NAME
 *   plan now=MS max=N seed=N      → placements, then what is blocked
 *   explain TASK now=MS           → a sentence per node
 *   submit cpu=N tier=T require=  → whether it would ever fit
 */
import type { TaskId } from '../../src/model/ids.ts';
import type { Demand, NodeView, ReadyTask } from '../../src/model/planning.ts';
import { addResources, type Tier, tiers } from '../../src/model/resources.ts';
import { neverFits, sentence, verdicts } from '../../src/placement/explain.ts';
import { plan } from '../../src/placement/plan.ts';
import type { Directive } from '../conformance/etcd-raft/datadriven.ts';
import { cpus, demand, lane, readyTask, view } from '../unit/placement/builders.ts';

type Pairs = (readonly [string, string])[];

class Options {
  readonly #args: Directive['args'];

  constructor(directive: Directive) {
    this.#args = directive.args;
  }

  list(key: string): readonly string[] {
    return this.#args.find(arg => arg.key === key)?.values ?? [];
  }

  number(key: string, otherwise: number): number {
    const [value] = this.list(key);
    return value === undefined ? otherwise : Number(value);
  }

  has(key: string): boolean {
    return this.#args.some(arg => arg.key === key && arg.values.length === 0);
  }

  /** Words without a value. */
  words(): string[] {
    return this.#args.filter(arg => arg.values.length === 0).map(arg => arg.key);
  }

  tier(): Tier {
    return tiers.find(tier => tier === this.list('tier')[0]) ?? 'basic';
  }

  pairs(key: string): Pairs {
    return this.list(key).map(text => {
      const [name = '', value = ''] = text.split(':');
      return [name, value] as const;
    });
  }
}

export class PlacementTranscript {
  readonly #nodes = new Map<string, NodeView>();
  /** Tasks that were placed, by group and node. */
  readonly #live = new Map<string, Map<string, number>>();
  readonly #ready: { demand: Demand; task: ReadyTask }[] = [];

  answer(directive: Directive): readonly string[] {
    const options = new Options(directive);
    switch (directive.command) {
      case 'node':
        return this.#node(options);
      case 'ready':
        return this.#addReady(options);
      case 'plan':
        return this.#plan(options);
      case 'explain':
        return this.#explain(options);
      case 'submit':
        return this.#submit(options);
      default:
        throw new Error(`line ${directive.line}: unknown command ${directive.command}`);
    }
  }

  #node(options: Options): readonly string[] {
    const [name = '?'] = options.words();
    const total = options.number('cpu', 4);
    this.#nodes.set(
      name,
      view(name, total, {
        ageMs: options.number('age', 0),
        coolDownUntilMs: options.number('cool', 0),
        advertisement: {
          tier: options.tier(),
          free: cpus(options.number('free', total)),
          queueRoom: options.number('room', 0),
          labels: options.pairs('labels'),
          draining: options.has('draining'),
          incarnation: options.has('bare') ? '' : 'inc',
        },
      }),
    );
    return ['ok'];
  }

  #demand(options: Options): Demand {
    const cpu = options.number('cpu', 1);
    const prefer = options.pairs('prefer');
    const [label] = options.list('spread');
    const [group = 'g'] = options.list('group');
    return demand(cpu, {
      tier: options.tier(),
      require: options.pairs('require'),
      ...(prefer.length === 0 ? {} : { prefer }),
      ...(label === undefined ? {} : { spread: { label, group } }),
    });
  }

  #addReady(options: Options): readonly string[] {
    const wanted = this.#demand(options);
    const known = this.#ready.find(other => other.demand.key === wanted.key)?.demand ?? wanted;
    for (const id of options.words()) {
      const readySinceMs = options.number('since', 0);
      const task = { ...readyTask(id as TaskId, readySinceMs), avoid: options.list('avoid') };
      this.#ready.push({ demand: known, task });
    }
    return ['ok'];
  }

  #plan(options: Options): readonly string[] {
    const demands = [...new Set(this.#ready.map(({ demand: of }) => of))];
    const made = plan({
      batches: demands.map(of => {
        const tasks = this.#ready.filter(other => other.demand === of).map(({ task }) => task);
        tasks.sort((a, b) => a.readySinceMs - b.readySinceMs || (a.id < b.id ? -1 : 1));
        return { lane: lane(of), tasks, count: tasks.length };
      }),
      nodes: [...this.#nodes.values()],
      nowMs: options.number('now', 0),
      spread: this.#live,
      maxPlacements: options.number('max', 1_000),
      seed: options.number('seed', 1),
    });
    for (const { taskId: id, node, demand: of } of made.placements) {
      const target = this.#nodes.get(node);
      if (target === undefined) throw new Error(`placed on ${node}`);
      const reserved = addResources(target.reserved, of.request);
      const reservedCount = target.reservedCount + 1;
      this.#nodes.set(node, { ...target, reserved, reservedCount });
      if (of.spread !== undefined) {
        const live = this.#live.get(of.spread.group) ?? new Map<string, number>();
        this.#live.set(of.spread.group, live.set(node, (live.get(node) ?? 0) + 1));
      }
      const at = this.#ready.findIndex(other => other.task.id === id);
      this.#ready.splice(at, 1);
    }
    const lines = [
      ...made.placements.map(({ taskId: id, node }) => `${id} -> ${node}`),
      ...made.blocked.map(({ demand: of, reason }) => {
        const waiting = this.#ready.filter(other => other.demand === of).map(({ task }) => task.id);
        return `${waiting.join(' ')} wait: ${reason}`;
      }),
    ];
    return lines.length === 0 ? ['nothing'] : lines;
  }

  #explain(options: Options): readonly string[] {
    const [id] = options.words();
    const found = this.#ready.find(other => other.task.id === id);
    if (found === undefined) return [`${id} is not ready`];
    const nodes = [...this.#nodes.values()];
    return verdicts(found.demand, found.task.avoid, nodes, options.number('now', 0)).map(
      ({ node, verdict }) => `${node}: ${sentence(verdict)}`,
    );
  }

  #submit(options: Options): readonly string[] {
    const totals = [...this.#nodes.values()].map(({ advertisement }) => advertisement);
    const { fits, message } = neverFits(this.#demand(options), totals);
    return [fits ? 'fits' : message];
  }
}
