/** `tsched export`: what the cluster keeps of settled tasks, as NDJSON, as long as it may be. */
import { string } from '@oclif/core/flags';
import { isSettled, type TaskView, taskStates } from '../../src/model/task.ts';
import { BaseCommand } from '../base-command.ts';
import { CliError, toCliError, usageError } from '../cli-error.ts';
import { exitCodeText } from '../exit-codes.ts';
import { consistencyFlag, readConsistency } from '../input/consistency.ts';
import { filterFlags, queryOfFilter, readInstant, readStates } from '../input/task-filter.ts';

const settledStates = taskStates.filter(isSettled);

export default class Export extends BaseCommand {
  static override summary = 'Export settled tasks as NDJSON.';
  static override description =
    'A task a line, shard by shard, the oldest of each first; without the output of tasks. --since ' +
    'and --until are about when a task settled, so exports of times that follow each other have ' +
    'every task once. Lost connections are made up for; what ends an export says with which ' +
    `--cursor another one goes on.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'export [flags]';
  static override examples = [
    '<%= config.bin %> export --since 7d --to week.ndjson',
    '<%= config.bin %> export --since 2027-01-01 --until 2027-02-01 --tenant acme | gzip > jan.gz',
    "<%= config.bin %> export --state failed,aborted | jq -r '.name'",
  ];
  static override flags = {
    since: string({
      description: 'settled since: 7d for so long ago, or a date',
      helpValue: 'TIME',
    }),
    until: string({ description: 'settled before that; now unless given', helpValue: 'TIME' }),
    state: string({
      description: `only these states: ${settledStates.join(', ')}; commas or repeated`,
      helpValue: 'STATE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    ...filterFlags,
    to: string({ description: 'a new file; standard output unless given', helpValue: 'FILE' }),
    cursor: string({
      description: 'go on where an export ended; with --to at the end of the file',
      helpValue: 'CURSOR',
    }),
    consistency: consistencyFlag,
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(Export);
    if (this.jsonEnabled() && flags.to === undefined) {
      throw usageError('--json tells what was exported', 'Say with --to where the tasks go.');
    }
    const states = readStates(flags.state);
    if (!states.every(isSettled)) {
      throw usageError('--state names one that is not settled', `${settledStates.join(', ')} are.`);
    }
    const nowMs = Date.now();
    const sinceMs = readInstant('since', flags.since, nowMs);
    const untilMs = readInstant('until', flags.until, nowMs) ?? nowMs;
    const query = queryOfFilter(flags, states);
    if (sinceMs !== undefined) query.set('settledSinceMs', String(sinceMs));
    query.set('settledUntilMs', String(untilMs));
    const consistency = readConsistency(flags.consistency);
    if (consistency !== undefined) query.set('consistency', consistency);
    if (flags.cursor !== undefined) query.set('cursor', flags.cursor);
    const client = await this.connect(flags);
    const [{ readExport }, { openOutput }] = await Promise.all([
      import('../export-stream.ts'),
      import('../export-output.ts'),
    ]);
    const output = await openOutput(flags.to, flags.cursor !== undefined);
    const line = (task: TaskView): string => (this.quiet ? task.id : JSON.stringify(task));
    let tasks = 0;
    const write = async (page: readonly TaskView[]): Promise<void> => {
      if (page.length > 0) await output.write(`${page.map(line).join('\n')}\n`);
      tasks += page.length;
    };
    const goOn = (): string => {
      const cursor = query.get('cursor');
      if (cursor === null || (tasks === 0 && cursor === flags.cursor)) {
        return 'nothing was exported; repeat it';
      }
      const since = sinceMs === undefined ? '' : `--since ${new Date(sinceMs).toISOString()} `;
      return `go on with ${since}--until ${new Date(untilMs).toISOString()} --cursor ${cursor}`;
    };
    const interrupted = (): void => {
      this.note(`interrupted after ${tasks} tasks; ${goOn()}`);
      process.exit(130);
    };
    process.once('SIGINT', interrupted);
    try {
      const { missingShards, staleShards } = await readExport(client, query, write);
      await output.end();
      return this.#told({ tasks, file: flags.to, missingShards, staleShards });
    } catch (error) {
      const failed = toCliError(error, 'export');
      const { code, sentence, title } = failed;
      // What is wrong with the question is wrong with the next one too.
      if (code === 'badRequest') throw failed;
      throw new CliError(code, sentence, { title, suggestion: goOn(), cause: error });
    } finally {
      process.off('SIGINT', interrupted);
    }
  }

  #told(result: {
    readonly tasks: number;
    readonly file: string | undefined;
    readonly missingShards: readonly number[];
    readonly staleShards: readonly number[];
  }): unknown {
    const { tasks, file, missingShards, staleShards } = result;
    this.note(`${tasks} tasks${file === undefined ? '' : ` in ${file}`}`);
    if (staleShards.length > 0) {
      const shards = staleShards.join(', ');
      this.note(
        `warning: shards ${shards} were told of without a majority: the newest may be missing`,
      );
    }
    if (missingShards.length > 0) {
      this.note(`warning: tasks of shards ${missingShards.join(', ')} are missing: no answer`);
      this.exitWith(6);
    }
    return result;
  }
}
