/**
 * Which nodes had better not lead, this one included: too slow, or with a disk that is nearly full.
 * A node that is unfit says so to everybody it is connected to, again and again; who hears nothing
 * more takes it for fit. Hints: leadership goes elsewhere by them, safety rests on none.
 */
import type { NodeId } from '../model/ids.ts';
import type { NodeVitals } from '../ports/node-api.ts';
import { background, type NodeContext } from './context.ts';
import type { DiskRoom } from './disk-room.ts';
import { describeSlowness } from './vitals.ts';

const tellEveryMs = 3_000;
/** Told so long ago it says nothing any more. */
const believedMs = 10_000;
const askMs = 1_500;

interface Told {
  readonly unfit: boolean;
  readonly why: string;
}

export class UnfitNodes {
  readonly #context: NodeContext;
  readonly #disk: DiskRoom | undefined;
  readonly #told = new Map<NodeId, { readonly untilMs: number; readonly why: string }>();
  #toldMs = Number.NEGATIVE_INFINITY;
  #wasUnfit = false;

  constructor(context: NodeContext, disk: DiskRoom | undefined) {
    this.#context = context;
    this.#disk = disk;
    context.peers.answer<Told>('unfit', (from, { unfit, why }) => {
      const untilMs = context.clock.nowMs() + believedMs;
      if (unfit) this.#told.set(from, { untilMs, why: String(why).slice(0, 200) });
      else this.#told.delete(from);
    });
    context.peers.answer('vitals', () => this.report());
  }

  /** This node had better not lead. */
  get self(): boolean {
    return this.#context.loop.vitals.unfit;
  }

  report(): NodeVitals {
    const measured = this.#context.loop.vitals.report(this.#context.clock.nowMs());
    return { ...measured, diskFreeBytes: this.#disk?.freeBytes };
  }

  /** Why a node had better not lead; `undefined` for one that may, as far as it is known here. */
  why(node: NodeId): string | undefined {
    if (node === this.#context.nodeId) return this.self ? this.#describe() : undefined;
    const told = this.#told.get(node);
    if (told === undefined || told.untilMs > this.#context.clock.nowMs()) return told?.why;
    this.#told.delete(node);
    return undefined;
  }

  #describe(): string {
    const { diskLow } = this.#context.loop.vitals;
    return diskLow && this.#disk !== undefined
      ? this.#disk.describe()
      : describeSlowness(this.report());
  }

  /** Tells the others, where there is something to tell. */
  round(others: readonly NodeId[]): void {
    const { clock, log, peers } = this.#context;
    const unfit = this.self;
    const nowMs = clock.nowMs();
    const due = unfit && nowMs - this.#toldMs >= tellEveryMs;
    if (unfit === this.#wasUnfit && !due) return;
    const why = this.#describe();
    if (unfit !== this.#wasUnfit) {
      const what = unfit ? 'unfit to lead: leaderships go elsewhere' : 'fit to lead again';
      log.warn(what, unfit ? { why, ...this.report() } : { ...this.report() });
    }
    this.#wasUnfit = unfit;
    this.#toldMs = nowMs;
    const body: Told = { unfit, why };
    for (const node of others) {
      if (node === this.#context.nodeId || !peers.connected(node)) continue;
      background(this.#context, 'tell who may lead', peers.ask(node, 'unfit', body, askMs));
    }
  }
}
