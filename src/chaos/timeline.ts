/**
 * The faults of a run in the order of their plan: each is aimed at the nodes that it means at its
 * moment, inflicted beside those that are still on, and recorded. How every node was, second by
 * second, is kept for the picture.
 */
import type { Cluster, ClusterNode } from './cluster.ts';
import { makeDraw } from './draw.ts';
import { kindRow } from './fault-kinds.ts';
import type { FaultRecord, NodeSpan } from './history.ts';
import { bringBack, type FaultWorld, inflict } from './inflict.ts';
import type { LinkFault } from './links.ts';
import type { Observer } from './observer.ts';
import type { PlannedFault } from './schedule.ts';
import { chooseNodes } from './target.ts';
import { Interrupted, pause } from './until.ts';

export interface TimelineSettings {
  readonly cluster: Cluster;
  readonly observer: Observer;
  readonly signal: AbortSignal;
  readonly sinceStartMs: () => number;
  /** Told when a fault begins and when it is over. */
  readonly onFault: (text: string) => void;
  /** Asked for submits that show what works at this moment. */
  readonly probe: () => void;
}

/** Kinds that keep a node from the others without ending it. */
const cutting = new Set(['isolate', 'partition', 'oneWay']);

export class Timeline {
  readonly records: FaultRecord[] = [];
  readonly spans: NodeSpan[] = [];
  readonly #settings: TimelineSettings;
  readonly #world: FaultWorld;
  /** Nodes by the faults that are on. */
  readonly #active = new Map<PlannedFault, { hit: readonly number[]; away: readonly number[] }>();
  /** Drawn faults that are on. */
  readonly #drawn = new Set<Promise<void>>();
  #unexpected: unknown;

  constructor(settings: TimelineSettings) {
    this.#settings = settings;
    this.#world = {
      cluster: settings.cluster,
      signal: settings.signal,
      links: new Set<LinkFault>(),
      onChange: () => this.noteStates(),
    };
    settings.cluster.onEnd = () => this.noteStates();
    this.noteStates();
  }

  /** What is on at present, for people. */
  get active(): string[] {
    return [...this.#active].map(([fault, { hit }]) => `${fault.kind} ${this.#names(hit)}`);
  }

  #names(numbers: readonly number[]): string {
    return numbers.map(number => this.#settings.cluster.node(number).name).join(', ');
  }

  /** Inflicts everything; resolves when the last fault is over and healed. */
  async run(faults: readonly PlannedFault[]): Promise<void> {
    const beganMs = performance.now();
    const under: Promise<void>[] = [];
    try {
      let lateMs = 0;
      for (const [place, fault] of faults.entries()) {
        if (kindRow(fault.kind).alone === true) {
          await Promise.allSettled(under);
          // As long after the one before as was planned.
          const before = faults[place - 1];
          const overMs = before === undefined ? 0 : before.atMs + before.forMs;
          lateMs = Math.max(lateMs, performance.now() - beganMs - overMs);
        }
        const waitMs = beganMs + lateMs + fault.atMs - performance.now();
        if (waitMs > 0) await pause(waitMs, this.#settings.signal);
        while (fault.atOnce !== undefined && this.#drawn.size >= fault.atOnce) {
          await Promise.race(this.#drawn);
          await pause(0, this.#settings.signal);
        }
        under.push(this.#begin(fault));
      }
    } finally {
      // Also where the run is interrupted: nobody starts a node behind the back of who ends them.
      await Promise.allSettled(under);
    }
    if (this.#unexpected !== undefined) throw this.#unexpected;
  }

  /** Resolves once the fault is over, however it ended. */
  #begin(fault: PlannedFault): Promise<void> {
    const work: Promise<void> = this.#one(fault)
      .catch((error: unknown) => {
        this.#unexpected ??= error;
      })
      .finally(() => this.#drawn.delete(work));
    if (fault.drawn) this.#drawn.add(work);
    return work;
  }

  async #one(fault: PlannedFault): Promise<void> {
    const { observer, sinceStartMs, onFault, probe } = this.#settings;
    const { hit, busy } = this.#aim(fault);
    const names = this.#names(hit);
    const record = {
      ...{ number: fault.number, kind: fault.kind, nodes: hit, fromMs: sinceStartMs() },
      away: this.#awayBy(fault, hit),
      ledBefore: observer.leaders().flatMap((node, place) => (hit.includes(node) ? place + 1 : [])),
    };
    if (hit.length === 0) {
      const why = 'there was no node that it could hit';
      const end = { toMs: record.fromMs, majorityLeft: false, told: [why] };
      this.records.push({ ...record, ...end, ...(fault.drawn ? {} : { failed: why }) });
      return;
    }
    this.#active.set(fault, { hit, away: record.away });
    const gone = new Set([...this.#active.values()].flatMap(one => one.away));
    const majorityLeft = observer.keepsMajorities(gone);
    onFault(`${fault.kind} ${names}: ${hit.length > 1 ? 'each ' : ''}${kindRow(fault.kind).does}`);
    this.noteStates();
    const told = busy.length === 0 ? [] : [`${this.#names(busy)} had another fault just then`];
    let failed: string | undefined;
    const work = inflict(this.#world, fault, hit.map(this.#node), text => told.push(text));
    probe();
    try {
      await work;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      failed = (error as Error).message;
    }
    this.#active.delete(fault);
    this.noteStates();
    this.records.push({
      ...record,
      ...{ toMs: sinceStartMs(), majorityLeft, told },
      ...(failed === undefined ? {} : { failed }),
    });
    onFault(`${fault.kind} ${names} is over${failed === undefined ? '' : `: ${failed}`}`);
    probe();
  }

  readonly #node = (number: number): ClusterNode => this.#settings.cluster.node(number);

  /** Nodes to hit, and those that would be hit too, but for what is done to them already. */
  #aim(fault: PlannedFault): { hit: number[]; busy: number[] } {
    const { cluster, observer } = this.#settings;
    const busy = new Set([...this.#active.values()].flatMap(one => one.hit));
    const whole = cluster.nodes
      .filter(node => node.awake && node.breakable && !busy.has(node.number))
      .map(node => node.number);
    const leaders = new Map<number, number>();
    for (const [place, node] of observer.leaders().entries()) {
      if (node !== 0) leaders.set(place + 1, node);
    }
    const view = { nodes: cluster.nodes.length, whole, leaders };
    const chosen = chooseNodes(fault.target, view, makeDraw(fault.seed, 2));
    const hit = chosen.filter(number => whole.includes(number));
    return { hit, busy: chosen.filter(number => !hit.includes(number)) };
  }

  /** Whom the others cannot count on: of a partition it is the smaller side. */
  #awayBy({ kind }: PlannedFault, hit: readonly number[]): readonly number[] {
    if (!kindRow(kind).away) return [];
    const all = this.#settings.cluster.nodes.map(node => node.number);
    if (kind !== 'partition' || 2 * hit.length <= all.length) return hit;
    return all.filter(number => !hit.includes(number));
  }

  /** Starts whatever is down and may come back; what does not come back is a failure. */
  async bringAllBack(): Promise<void> {
    const { cluster } = this.#settings;
    await Promise.all(
      cluster.nodes.map(node => bringBack(this.#world, node, this.#settings.onFault)),
    );
  }

  /** Notes how every node is now, where that has changed. */
  noteStates(): void {
    const { cluster, sinceStartMs } = this.#settings;
    const cut = new Set(
      [...this.#active].flatMap(([fault, { away }]) => (cutting.has(fault.kind) ? away : [])),
    );
    for (const node of cluster.nodes) {
      const state = stateOf(node, cut.has(node.number));
      const last = this.spans.findLast(span => span.node === node.number);
      if (last?.state === state) continue;
      this.spans.push({ node: node.number, fromMs: sinceStartMs(), state });
    }
  }
}

function stateOf(node: ClusterNode, cut: boolean): NodeSpan['state'] {
  if (node.refused) return 'refused';
  if (!node.alive) return 'down';
  if (node.paused) return 'paused';
  if (node.address === '') return 'starting';
  return cut ? 'cut' : 'up';
}
