/** `tsched list`: tasks, newest first, by state, name, tenant, label, key and time. */
import { boolean, string } from '@oclif/core/flags';
import { type TaskSummary, taskStates } from '../../src/model/task.ts';
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import { consistencyFlag, readConsistency } from '../input/consistency.ts';
import { filterFlags, queryOfFilter, readInstant, readStates } from '../input/task-filter.ts';
import { readCount } from '../input/values.ts';
import type { TaskPage } from '../wire.ts';

const pageMax = 1_000;
const limitDefault = 50;

export default class List extends BaseCommand {
  static override summary = 'List tasks, newest first.';
  static override description =
    'Shards without a majority are shown as a replica has them, and named on standard error and as ' +
    `\`staleShards\` in the JSON.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'list [flags]';
  static override examples = [
    '<%= config.bin %> list',
    '<%= config.bin %> list --state active',
    '<%= config.bin %> list --state failed,aborted --name etl --limit 200',
    '<%= config.bin %> list --since 2h --label team=data',
    '<%= config.bin %> list -q --all --state waiting',
    '<%= config.bin %> list --json --limit 1000 --cursor CURSOR',
  ];
  static override flags = {
    state: string({
      description: `only these states: ${taskStates.join(', ')}, active, settled; commas or repeated`,
      helpValue: 'STATE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    ...filterFlags,
    since: string({
      description: 'submitted since: 2h for so long ago, or a date',
      helpValue: 'TIME',
    }),
    until: string({ description: 'submitted before that', helpValue: 'TIME' }),
    limit: string({
      description: `at most this many; ${limitDefault} unless given`,
      helpValue: 'N',
    }),
    cursor: string({
      description: 'go on behind a page: the `cursor` of its JSON',
      helpValue: 'CURSOR',
    }),
    consistency: consistencyFlag,
    all: boolean({ description: 'every page', exclusive: ['limit'] }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(List);
    const states = readStates(flags.state);
    const limit =
      readCount('limit', flags.limit, { min: 1, max: 1_000_000 }) ??
      (flags.all ? Number.POSITIVE_INFINITY : limitDefault);
    const consistency = readConsistency(flags.consistency);
    const filter = queryOfFilter(flags, states);
    const nowMs = Date.now();
    const sinceMs = readInstant('since', flags.since, nowMs);
    const untilMs = readInstant('until', flags.until, nowMs);
    const client = await this.connect(flags);
    const tasks: TaskSummary[] = [];
    const missing = new Set<number>();
    const stale = new Set<number>();
    let { cursor } = flags;
    do {
      const query = new URLSearchParams(filter);
      query.set('limit', String(Math.min(pageMax, limit - tasks.length)));
      if (sinceMs !== undefined) query.set('sinceMs', String(sinceMs));
      if (untilMs !== undefined) query.set('untilMs', String(untilMs));
      if (consistency !== undefined) query.set('consistency', consistency);
      if (cursor !== undefined) query.set('cursor', cursor);
      const page = await client.get<TaskPage>(`/v1/tasks?${query}`);
      tasks.push(...page.tasks);
      for (const shard of page.missingShards) missing.add(shard);
      for (const shard of page.staleShards) stale.add(shard);
      cursor = page.cursor;
    } while (cursor !== undefined && tasks.length < limit);
    this.printIds(tasks.map(task => task.id));
    const { renderTaskList } = await import('../output/task-list.ts');
    this.print(renderTaskList(tasks, this.screen));
    if (cursor !== undefined && process.stdout.isTTY) this.print('  and more; --limit N or --all');
    const missingShards = [...missing].sort((left, right) => left - right);
    const staleShards = [...stale].sort((left, right) => left - right);
    if (missingShards.length > 0) {
      this.note(`warning: tasks of shards ${missingShards.join(', ')} are missing: no answer`);
    }
    if (staleShards.length > 0) {
      const shards = staleShards.join(', ');
      this.note(
        `warning: tasks of shards ${shards} may be out of date: no majority confirmed them`,
      );
    }
    return { tasks, cursor, missingShards, staleShards };
  }
}
