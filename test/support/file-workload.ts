/**
 * Real work for a cluster under attack: one task for each file of a source tree, which compresses
 * it and writes its checksum. Each attempt says in a log of its task when it starts, that it is
 * alive and when it ends, on the machine's monotonic clock, so that overlaps can be told afterwards
 * whatever the cluster believes.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { type RealCluster, settledStates, type TaskRow } from './real-cluster.ts';
import { until } from './until.ts';

const root = new URL('../..', import.meta.url).pathname;
const sources = ['src', 'cli', 'test', 'docs', 'scripts'];
const submitBatch = 20;

/** `$1` file, `$2` result, `$3` log, `$4` tenths of a second that it takes at least. */
const script = `#!/bin/sh
say() { read -r up rest </proc/uptime; echo "$1 $TSCHED_ATTEMPT $up $TSCHED_NODE" >>"$log"; }
log=$3
say start
mine=$2.$TSCHED_ATTEMPT
gzip -n -c "$1" >"$mine.gz" && sha256sum <"$1" >"$mine.sha256" || exit 1
tenths=$4
while [ "$tenths" -gt 0 ]; do sleep 0.1; say alive; tenths=$((tenths - 1)); done
mv "$mine.gz" "$2.gz" && mv "$mine.sha256" "$2.sha256" || exit 1
say end
`;

/** One line of a task's log. */
export interface LogLine {
  readonly what: 'start' | 'alive' | 'end';
  readonly attempt: number;
  /** Seconds of the monotonic clock, to the hundredth. */
  readonly atS: number;
  readonly node: string;
}

export interface WorkloadOptions {
  readonly tasks: number;
  /** Tenths of a second that the task of this number takes. */
  readonly tenths: (number: number) => number;
  /** Fields of every task's document, beside what it runs. */
  readonly document?: Readonly<Record<string, unknown>> | undefined;
}

const nameOf = (number: number): string => String(number).padStart(5, '0');

export class FileWorkload {
  /** Files, or those that were submitted where that was broken off. */
  tasks: number;
  /** IDs of acknowledged tasks, by number. */
  readonly accepted = new Map<number, string>();
  readonly #cluster: RealCluster;
  readonly #options: WorkloadOptions;
  readonly #dir: string;
  #failed: unknown;

  private constructor(cluster: RealCluster, options: WorkloadOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#dir = join(cluster.dir, 'work');
    this.tasks = options.tasks;
  }

  /** Makes the tree of files. */
  static async make(cluster: RealCluster, options: WorkloadOptions): Promise<FileWorkload> {
    const workload = new FileWorkload(cluster, options);
    for (const folder of ['in', 'out', 'log']) {
      await mkdir(join(workload.#dir, folder), { recursive: true });
    }
    const files = sourceFiles();
    for (let number = 0; number < options.tasks; number++) {
      const text = readFileSync(files[number % files.length]!);
      const copy = Buffer.from(`copy ${Math.floor(number / files.length)}\n`);
      await writeFile(workload.#path('in', number), Buffer.concat([text, copy]));
    }
    return workload;
  }

  #path(folder: 'in' | 'out' | 'log', number: number): string {
    return join(this.#dir, folder, nameOf(number));
  }

  #document(number: number): Readonly<Record<string, unknown>> {
    const paths = (['in', 'out', 'log'] as const).map(folder => this.#path(folder, number));
    return {
      name: `file-${number}`,
      script,
      args: [...paths, String(this.#options.tenths(number))],
      // A submit whose outcome is unknown is repeated: the key makes it one task all the same.
      idempotencyKey: `file-${number}`,
      cpu: 1,
      memory: '16MiB',
      disk: '1MiB',
      iops: 1,
      bandwidth: 1,
      ...this.#options.document,
    };
  }

  /** Submits all tasks, whatever happens to the nodes meanwhile. */
  submitAll(): Promise<void> {
    const work = this.#submitAll();
    work.catch((error: unknown) => {
      this.#failed = error;
    });
    return work;
  }

  /**
   * Submits a few at a time for as long as it is not `over`; throws where there are too few. What
   * was begun then is submitted to the end.
   */
  async submitUntil(over: AbortSignal, paceMs: number): Promise<void> {
    let next = 0;
    for (let turn = 0; !over.aborted; turn++) {
      if (next >= this.tasks) throw new Error(`${this.tasks} files are too few for this test`);
      let batch: readonly number[] = [next++];
      for (; batch.length > 0; turn++) batch = await this.#submitSome(batch, turn);
      await delay(paceMs);
    }
    this.tasks = next;
  }

  async #submitAll(): Promise<void> {
    let open = Array.from({ length: this.tasks }, (_, number) => number);
    for (let turn = 0; open.length > 0; turn++) {
      const batch = open.slice(0, submitBatch);
      const refused = new Set(await this.#submitSome(batch, turn));
      // What was refused goes to the end: a shard without a leader must not hold up the others.
      open = [...open.slice(batch.length), ...batch.filter(number => refused.has(number))];
      if (refused.size > 0) await delay(100);
    }
  }

  /** Submits at one of the nodes; returns what was not acknowledged. */
  async #submitSome(numbers: readonly number[], turn: number): Promise<readonly number[]> {
    const { alive } = this.#cluster;
    const node = alive[turn % alive.length];
    if (node === undefined) return numbers;
    type Results = { results: { ok: boolean; id?: string; code?: string; message?: string }[] };
    let results: Results['results'];
    try {
      const tasks = numbers.map(number => this.#document(number));
      const answer = await this.#cluster.call<Results>(node, 'POST', '/v1/tasks/batch', { tasks });
      if (answer.status === 400) throw new TypeError(JSON.stringify(answer.body));
      if (answer.status !== 200) return numbers;
      ({ results } = answer.body);
    } catch (error) {
      if (error instanceof TypeError && error.message.startsWith('{')) throw error;
      // The node died, or froze, under the request.
      return numbers;
    }
    return numbers.filter((number, position) => {
      const result = results[position];
      if (result?.ok !== true || result.id === undefined) return true;
      const known = this.accepted.get(number);
      if (known !== undefined && known !== result.id) {
        throw new Error(`file ${number} became two tasks: ${known} and ${result.id}`);
      }
      this.accepted.set(number, result.id);
      return false;
    });
  }

  /** Number of results that are written. */
  async done(): Promise<number> {
    const names = await readdir(join(this.#dir, 'out'));
    return names.filter(name => /^\d+\.sha256$/.test(name)).length;
  }

  /** Until this share of all results is there. */
  async untilDone(share: number, limitMs: number): Promise<void> {
    const wanted = Math.ceil(this.tasks * share);
    await until(
      `${wanted} of ${this.tasks} results are there`,
      async () => {
        if (this.#failed !== undefined) return true;
        return (await this.done()) >= wanted;
      },
      limitMs,
    );
    if (this.#failed !== undefined) throw this.#failed;
  }

  /** Every acknowledged task once it has settled, by number. */
  async untilSettled(limitMs: number): Promise<Map<number, TaskRow>> {
    const deadline = performance.now() + limitMs;
    const rows = new Map<number, TaskRow>();
    for (const [number, id] of this.accepted) {
      const leftMs = Math.max(1, deadline - performance.now());
      rows.set(number, await this.#cluster.untilSettled(id, leftMs));
    }
    return rows;
  }

  /** What a task's attempts said, oldest first. */
  async log(number: number): Promise<LogLine[]> {
    const text = await readFile(this.#path('log', number), 'utf8').catch(() => '');
    return text.split('\n').flatMap(line => {
      const [what, attempt, atS, node] = line.split(' ');
      if (what !== 'start' && what !== 'alive' && what !== 'end') return [];
      return [{ what, attempt: Number(attempt), atS: Number(atS), node: node ?? '' }];
    });
  }

  /** Everything that is wrong with what the tasks left behind and with what is recorded of them. */
  async faults(rows: ReadonlyMap<number, TaskRow>): Promise<string[]> {
    const faults: string[] = [];
    for (let number = 0; number < this.tasks; number++) {
      const row = rows.get(number);
      const say = (what: string) => faults.push(`file ${number}, task ${row?.id}: ${what}`);
      if (row === undefined) {
        say('was never acknowledged');
        continue;
      }
      for (const fault of recordFaults(row)) say(fault);
      const log = await this.log(number);
      for (const fault of overlaps(log)) say(fault);
      const ran = new Set(log.map(line => line.attempt));
      const known = new Set(row.attempts.map(attempt => attempt.attempt));
      for (const attempt of ran) if (!known.has(attempt)) say(`ran unknown attempt ${attempt}`);
      for (const fault of await this.#resultFaults(number)) say(fault);
    }
    return faults;
  }

  async #resultFaults(number: number): Promise<string[]> {
    const source = await readFile(this.#path('in', number));
    const out = this.#path('out', number);
    try {
      const unpacked = gunzipSync(await readFile(`${out}.gz`));
      const digest = (await readFile(`${out}.sha256`, 'utf8')).split(' ')[0];
      const expected = createHash('sha256').update(source).digest('hex');
      const faults = unpacked.equals(source) ? [] : ['the compressed file is another one'];
      return digest === expected ? faults : [...faults, 'the checksum is wrong'];
    } catch (error) {
      return [`its result cannot be read: ${String(error)}`];
    }
  }
}

function sourceFiles(): string[] {
  return sources.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .toSorted(),
  );
}

/** One outcome that settled the task; whatever came before it was lost. */
function recordFaults(row: TaskRow): string[] {
  const faults: string[] = [];
  if (!settledStates.includes(row.state)) faults.push(`is ${row.state}`);
  if (row.state !== 'succeeded') faults.push(`ended as ${row.state}: ${row.reason ?? ''}`);
  const kinds = row.attempts.map(attempt => attempt.outcome?.kind);
  const final = kinds.at(-1);
  if (final !== 'succeeded') faults.push(`its last attempt is recorded as ${final}`);
  const others = kinds.slice(0, -1).filter(kind => kind !== 'lost');
  if (others.length > 0) faults.push(`other outcomes are recorded too: ${others.join(', ')}`);
  if (row.runs !== 1) faults.push(`counts ${row.runs} runs`);
  return faults;
}

/** Attempts of one task that were alive at the same time, by what they wrote themselves. */
export function overlaps(log: readonly LogLine[]): string[] {
  const lives = new Map<number, { from: number; to: number; node: string; starts: number }>();
  for (const { what, attempt, atS, node } of log) {
    const life = lives.get(attempt) ?? { from: atS, to: atS, node, starts: 0 };
    life.from = Math.min(life.from, atS);
    life.to = Math.max(life.to, atS);
    if (what === 'start') life.starts++;
    lives.set(attempt, life);
  }
  const faults: string[] = [];
  const ordered = [...lives].sort(([left], [right]) => left - right);
  for (const [place, [attempt, life]] of ordered.entries()) {
    if (life.starts !== 1) faults.push(`attempt ${attempt} started ${life.starts} times`);
    const next = ordered[place + 1];
    if (next === undefined || next[1].from >= life.to) continue;
    faults.push(
      `attempt ${attempt} on ${life.node} lived until ${life.to}, ` +
        `attempt ${next[0]} on ${next[1].node} since ${next[1].from}`,
    );
  }
  return faults;
}
