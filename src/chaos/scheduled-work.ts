/**
 * The schedules of a run: made before its first fault, left to fire while everything breaks, and
 * deleted once all has healed and what was due has fired. Which tasks they made is read then.
 */
import { askUntil } from './asking.ts';
import type { Answer } from './calls.ts';
import type { Cluster, TaskFiles } from './cluster.ts';
import type { ScheduleRecord, TaskRecord } from './history.ts';
import type { Scenario } from './scenario.ts';
import { taskDocument } from './workload.ts';

const makeMs = 120_000;
const deleteMs = 60_000;
const firingsName = 'chaos-fired';
/** One that a run could not delete ends by itself. */
const longestMs = 6 * 3_600_000;
/** The first instant is so many looks at a node away: by then the schedules are made. */
const looksAhead = 20;

type Open = { -readonly [Key in keyof ScheduleRecord]: ScheduleRecord[Key] };

/** A listing of tasks, as much of it as is looked at. */
interface Page {
  readonly tasks: readonly { readonly id: string }[];
  readonly cursor?: string;
  readonly missingShards: readonly number[];
  readonly staleShards: readonly number[];
}

export class ScheduledWork {
  readonly #cluster: Cluster;
  readonly #scenario: Scenario;
  readonly #files: TaskFiles;
  readonly #signal: AbortSignal;
  readonly #made: Open[] = [];

  constructor(
    cluster: Cluster,
    scenario: Scenario,
    tools: { readonly files: TaskFiles; readonly signal: AbortSignal },
  ) {
    this.#cluster = cluster;
    this.#scenario = scenario;
    this.#files = tools.files;
    this.#signal = tools.signal;
  }

  /** Makes all of them; rejects where one is refused, or nobody takes it. */
  async prepare(): Promise<void> {
    const { schedules, workMs } = this.#scenario;
    const aheadMs = looksAhead * this.#cluster.lookEveryMs;
    const restMs = Math.max(0, workMs - aheadMs);
    const once = Array.from({ length: schedules.once }, (_, place) =>
      this.#makeOnce(aheadMs + (restMs * place) / schedules.once),
    );
    const minutely = Array.from({ length: schedules.everyMinute }, () => this.#make(undefined));
    await Promise.all([...once, ...minutely]);
  }

  /** One whose instant has passed before anybody has said that it is there proves nothing. */
  async #makeOnce(aheadMs: number): Promise<void> {
    for (let tryAheadMs = aheadMs; ; tryAheadMs *= 2) {
      const onceMs = Math.ceil((Date.now() + tryAheadMs) / 1_000) * 1_000;
      await this.#make(onceMs);
      if (Date.now() < onceMs) return;
    }
  }

  async #make(onceMs: number | undefined): Promise<void> {
    const { runKey } = this.#cluster;
    const number = this.#made.length + 1;
    const askedMs = Date.now();
    const open = { ...{ askedMs, madeMs: askedMs, dueToMs: 0, goneMs: 0 }, firings: [] };
    const record: Open = { name: `${runKey}-${number}`, onceMs, ...open };
    // Before it is asked for: what may be there has to be taken away.
    this.#made.push(record);
    const kind = 'quick';
    const body = {
      name: record.name,
      ...(onceMs === undefined
        ? { cron: '* * * * *', until: instantText(askedMs + longestMs) }
        : { every: 'once', at: instantText(onceMs) }),
      ...{ overlap: 'allow', catchUp: 'all' },
      task: {
        ...taskDocument(runKey, this.#files, { number: -number, kind }),
        name: firingsName,
      },
    };
    const read = ({ status, body: said }: Answer): true | undefined => {
      if (status === 200 || status === 201) return true;
      // Its instant may have passed before somebody read it.
      if (status === 400 && onceMs !== undefined && Date.now() >= onceMs) return true;
      if (status !== 400 && status !== 403 && status !== 409) return undefined;
      throw new Error(`schedule ${record.name} is refused: ${JSON.stringify(said)}`);
    };
    const patience = { limitMs: makeMs, signal: this.#signal };
    const isMade = await askUntil(this.#cluster, { path: '/v1/schedules', body }, read, patience);
    if (isMade === undefined) throw new Error(`no node takes schedule ${record.name}`);
    record.madeMs = Date.now();
  }

  /** Lets fire what is due, then deletes them; IDs of all tasks that they have made. */
  async finish(limitMs: number): Promise<string[]> {
    if (this.#made.length === 0) return [];
    const healedMs = Date.now();
    const dueToMs = Math.max(healedMs, ...this.#made.map(({ onceMs = 0 }) => onceMs));
    const lastMs = dueToMs - healedMs + limitMs;
    await Promise.all(
      this.#made.map(async schedule => {
        schedule.dueToMs = dueToMs;
        await this.#untilFired(schedule, lastMs);
        await this.#delete(schedule, this.#signal);
      }),
    );
    return this.#list(limitMs);
  }

  /** Until nothing that was due is still to fire; what is late after the limit is for the check. */
  async #untilFired({ name, dueToMs }: ScheduleRecord, limitMs: number): Promise<void> {
    const read = ({ status, body }: Answer): true | undefined => {
      if (status !== 200) return undefined;
      const { nextAtMs } = body as { nextAtMs?: number };
      return nextAtMs === undefined || nextAtMs > dueToMs || undefined;
    };
    const patience = { limitMs, signal: this.#signal };
    await askUntil(this.#cluster, { path: `/v1/schedules/${name}` }, read, patience);
  }

  async #delete(schedule: Open, signal?: AbortSignal): Promise<boolean> {
    const read = ({ status }: Answer): true | undefined =>
      status === 200 || status === 404 || undefined;
    const request = { path: `/v1/schedules/${schedule.name}/delete`, body: {} };
    const isGone = await askUntil(this.#cluster, request, read, { limitMs: deleteMs, signal });
    // Where nobody answers it may fire on.
    schedule.goneMs = isGone === undefined ? Number.POSITIVE_INFINITY : Date.now();
    return isGone === true;
  }

  /** Every page, each as a majority of all shards has it. */
  async #list(limitMs: number): Promise<string[]> {
    const label = encodeURIComponent(`chaos=${this.#cluster.runKey}`);
    const query = `/v1/tasks?name=${firingsName}&label=${label}&limit=1000`;
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const path = cursor === undefined ? query : `${query}&cursor=${encodeURIComponent(cursor)}`;
      const read = ({ status, body }: Answer): Page | undefined => {
        if (status !== 200) return undefined;
        const page = body as Page;
        return page.missingShards.length + page.staleShards.length === 0 ? page : undefined;
      };
      const patience = { limitMs, signal: this.#signal };
      const page = await askUntil(this.#cluster, { path }, read, patience);
      if (page === undefined) throw new Error('the tasks of the schedules cannot be listed');
      ids.push(...page.tasks.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return ids;
  }

  /** What they have fired, by the records of those tasks. */
  records(
    ids: readonly string[],
    tasks: ReadonlyMap<string, TaskRecord | undefined>,
    isSettled: (task: TaskRecord) => boolean,
  ): ScheduleRecord[] {
    const found = ids.flatMap(id => tasks.get(id) ?? []);
    return this.#made.map(schedule => ({
      ...schedule,
      firings: found
        .filter(task => task.schedule === schedule.name)
        .map(task => ({
          taskId: task.id,
          occurrenceMs: task.occurrenceAtMs ?? 0,
          settled: isSettled(task),
        })),
    }));
  }

  /** Deletes what is still there; how to do that by hand where it cannot. */
  async takeAway(): Promise<string[]> {
    const told: string[] = [];
    for (const schedule of this.#made.filter(one => one.goneMs === 0 || one.goneMs > Date.now())) {
      if (await this.#delete(schedule)) continue;
      told.push(`schedule ${schedule.name}: \`tsched schedule delete ${schedule.name}\``);
    }
    return told;
  }
}

const instantText = (atMs: number): string => new Date(atMs).toISOString().slice(0, 19);
