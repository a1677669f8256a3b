/**
 * Which nodes are too slow to lead, this one included. A node that is says so to everybody it is
 * connected to, again and again; who hears nothing more takes it for well. Hints: leadership goes
 * elsewhere by them, safety rests on none.
 */
import type { NodeId } from '../model/ids.ts';
import type { NodeVitals } from '../ports/node-api.ts';
import { background, type NodeContext } from './context.ts';
import { describeSlowness } from './vitals.ts';

const tellEveryMs = 3_000;
/** Told so long ago it says nothing any more. */
const believedMs = 10_000;
const askMs = 1_500;

interface Told {
  readonly slow: boolean;
  readonly why: string;
}

export class SlowNodes {
  readonly #context: NodeContext;
  readonly #told = new Map<NodeId, { readonly untilMs: number; readonly why: string }>();
  #toldMs = Number.NEGATIVE_INFINITY;
  #wasSlow = false;

  constructor(context: NodeContext) {
    this.#context = context;
    context.peers.answer<Told>('slow', (from, { slow, why }) => {
      const untilMs = context.clock.nowMs() + believedMs;
      if (slow) this.#told.set(from, { untilMs, why: String(why).slice(0, 200) });
      else this.#told.delete(from);
    });
    context.peers.answer('vitals', () => this.report());
  }

  /** This node is too slow to lead. */
  get self(): boolean {
    return this.#context.loop.vitals.slow;
  }

  report(): NodeVitals {
    return this.#context.loop.vitals.report(this.#context.clock.nowMs());
  }

  /** Why a node is slow; `undefined` for one that is not, as far as it is known here. */
  why(node: NodeId): string | undefined {
    if (node === this.#context.nodeId) {
      return this.self ? describeSlowness(this.report()) : undefined;
    }
    const told = this.#told.get(node);
    if (told === undefined || told.untilMs > this.#context.clock.nowMs()) return told?.why;
    this.#told.delete(node);
    return undefined;
  }

  /** Tells the others, where there is something to tell. */
  round(others: readonly NodeId[]): void {
    const { clock, log, peers } = this.#context;
    const { self } = this;
    const nowMs = clock.nowMs();
    const due = self && nowMs - this.#toldMs >= tellEveryMs;
    if (self === this.#wasSlow && !due) return;
    const report = this.report();
    if (self !== this.#wasSlow) {
      const what = self
        ? 'too slow to lead: leaderships go elsewhere'
        : 'fast enough to lead again';
      log.warn(what, { ...report });
    }
    this.#wasSlow = self;
    this.#toldMs = nowMs;
    const body: Told = { slow: self, why: describeSlowness(report) };
    for (const node of others) {
      if (!peers.connected(node)) continue;
      background(
        this.#context,
        'tell that this node is slow',
        peers.ask(node, 'slow', body, askMs),
      );
    }
  }
}
