/**
 * The work of a run: tasks at a steady rate, whatever happens to the nodes. Each is submitted under
 * a key of its own and repeated at the next node until it is acknowledged, as a careful client
 * does; how long that took, over all repeats, is what is recorded. Some stand in line with others,
 * some say by when they should start.
 */
import type { Cluster, TaskFiles } from './cluster.ts';
import { type Draw, makeDraw } from './draw.ts';
import type { SubmitRecord } from './history.ts';
import { type Scenario, type WorkKind, workKinds } from './scenario.ts';
import { Interrupted, pause } from './until.ts';

const tryMs = 5_000;

/** Half seconds that a task sleeps, and turns that it computes. */
const amountsOf: Readonly<Record<WorkKind, readonly [halves: number, turns: number]>> = {
  quick: [0, 0],
  short: [2, 0],
  long: [16, 0],
  busy: [0, 100_000],
};

/** What a task asks for. */
interface Asked {
  readonly kind: WorkKind;
  readonly orderKey?: string;
  readonly toleranceMs?: number;
}

/** Shares of tasks are spread evenly: this has no divisor in common with a hundred. */
const stride = 37;

type Open = { -readonly [Key in keyof SubmitRecord]: SubmitRecord[Key] } & {
  readonly kind: WorkKind;
};

export class Workload {
  readonly submits: Open[] = [];
  readonly #cluster: Cluster;
  readonly #scenario: Scenario;
  readonly #sinceStartMs: () => number;
  readonly #signal: AbortSignal;
  readonly #draw: Draw;
  readonly #open = new Set<Promise<void>>();
  readonly #files: TaskFiles;
  #inLine = 0;
  #giveUp = false;
  #failure: unknown;

  constructor(
    cluster: Cluster,
    scenario: Scenario,
    seed: number,
    tools: {
      readonly files: TaskFiles;
      readonly sinceStartMs: () => number;
      readonly signal: AbortSignal;
    },
  ) {
    this.#cluster = cluster;
    this.#files = tools.files;
    this.#scenario = scenario;
    this.#sinceStartMs = tools.sinceStartMs;
    this.#signal = tools.signal;
    this.#draw = makeDraw(seed, 2);
  }

  get acked(): number {
    let count = 0;
    for (const submit of this.submits) if (submit.ackedMs !== undefined) count++;
    return count;
  }

  /** Submits at the scenario's rate until its time is over, and while `goesOn` says so. */
  async run(goesOn: () => boolean): Promise<void> {
    const { rate, workMs } = this.#scenario;
    const beganMs = performance.now();
    for (let count = 0; ; count++) {
      const dueMs = beganMs + (count * 1_000) / rate;
      if (dueMs - beganMs >= workMs && !goesOn()) return;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await pause(waitMs, this.#signal);
      while (this.#open.size >= this.#cluster.openMax) await pause(20, this.#signal);
      if (this.#failure !== undefined) throw this.#failure;
      this.#begin(this.#ask(count));
    }
  }

  /** Two quick tasks for each shard, at once: they show which shards take tasks at this moment. */
  probe(): void {
    for (let count = 0; count < 2 * this.#cluster.shards; count++) this.#begin({ kind: 'quick' });
  }

  /** Until every submit was acknowledged, or `limitMs` have passed. */
  async drain(limitMs: number): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    while (this.#open.size > 0 && performance.now() < deadlineMs) await pause(20, this.#signal);
    this.#giveUp = true;
    await Promise.allSettled(this.#open);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Submits once more what had to be repeated: the same key must be the same task. What is not
   * answered is left as it is.
   */
  async repeat(): Promise<void> {
    for (const record of this.submits.filter(({ tries, id }) => tries > 1 && id !== undefined)) {
      const node = this.#cluster.nodes.find(one => one.awake);
      if (node === undefined) return;
      const body = this.#document(record);
      try {
        const answer = await this.#cluster.call(node, '/v1/tasks', { body, limitMs: tryMs });
        this.#note(record, answer.status, answer.body);
      } catch {
        // Not answered: nothing is known, and nothing is claimed.
      }
    }
  }

  /** Lets go of everything that waits. */
  abandon(): void {
    this.#giveUp = true;
  }

  #drawKind(): WorkKind {
    const { kinds } = this.#scenario;
    let left = this.#draw(workKinds.reduce((sum, kind) => sum + kinds[kind], 0));
    for (const kind of workKinds) {
      left -= kinds[kind];
      if (left < 0) return kind;
    }
    return 'quick';
  }

  /** Of so many in a hundred that they stand in line; of so many others that they are bounded. */
  #ask(count: number): Asked {
    const { ordered, bounded } = this.#scenario;
    const place = (count * stride) % 100;
    if (place < ordered.percent) {
      const line = 1 + (this.#inLine++ % ordered.keys);
      return { kind: 'quick', orderKey: `${this.#cluster.runKey}-line-${line}` };
    }
    const kind = this.#drawKind();
    return place < 100 - bounded.percent ? { kind } : { kind, toleranceMs: bounded.toleranceMs };
  }

  #begin(asked: Asked): void {
    const number = this.submits.length + 1;
    const record: Open = { number, ...asked, begunMs: this.#sinceStartMs(), tries: 0 };
    this.submits.push(record);
    const work: Promise<void> = this.#submit(record).finally(() => this.#open.delete(work));
    this.#open.add(work);
    work.catch((error: unknown) => {
      this.#failure ??= error;
      this.abandon();
    });
  }

  async #submit(record: Open): Promise<void> {
    const document = this.#document(record);
    while (!this.#giveUp) {
      const awake = this.#cluster.nodes.filter(node => node.awake);
      const node = awake[(record.number + record.tries) % Math.max(1, awake.length)];
      record.tries++;
      try {
        if (node !== undefined) {
          const options = { body: document, limitMs: tryMs };
          const { status, body } = await this.#cluster.call(node, '/v1/tasks', options);
          if (this.#note(record, status, body)) return;
        }
      } catch (error) {
        if (error instanceof TypeError && error.message.startsWith('refused')) throw error;
        // The node died, froze or is cut off: the next one is asked.
      }
      try {
        await pause(this.#cluster.retryEveryMs, this.#signal);
      } catch (error) {
        if (error instanceof Interrupted) return;
        throw error;
      }
    }
  }

  /** Whether the submit was acknowledged. */
  #note(record: Open, status: number, body: unknown): boolean {
    if (status === 400) throw new TypeError(`refused: ${JSON.stringify(body)}`);
    if (status !== 200 && status !== 201) return false;
    const answer = body as { id: string; shard?: number; startBoundMs?: number };
    const { id, shard } = answer;
    if (record.id !== undefined && record.id !== id) record.otherId = id;
    record.id ??= id;
    record.shard ??= shard;
    // The bound is told until the task has started: one that was repeated may have none.
    if (record.ackedMs === undefined) record.startBoundMs = answer.startBoundMs;
    record.ackedMs ??= this.#sinceStartMs();
    return true;
  }

  #document({ number, kind, orderKey, toleranceMs }: Open): Readonly<Record<string, unknown>> {
    const { runKey } = this.#cluster;
    return {
      ...taskDocument(runKey, this.#files, { number, kind }),
      idempotencyKey: `${runKey}-${number}`,
      ...(orderKey === undefined ? {} : { orderKey }),
      ...(toleranceMs === undefined ? {} : { tolerance: `${toleranceMs}ms` }),
    };
  }
}

/** The document of a task of the run that writes the log of all of them under this number. */
export function taskDocument(
  runKey: string,
  { command, log }: TaskFiles,
  { number, kind }: { readonly number: number; readonly kind: WorkKind },
): Readonly<Record<string, unknown>> {
  const [halves, turns] = amountsOf[kind];
  return {
    name: `chaos-${kind}`,
    command: [...command, ...[log, number, halves, turns].map(String)],
    labels: { chaos: runKey },
    ...{ cpu: '100m', memory: '8MiB', disk: 0, iops: 0, bandwidth: 0 },
  };
}
