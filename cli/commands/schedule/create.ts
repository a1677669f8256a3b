/** `tsched schedule create`: something is to run again and again. */
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TaskInput } from '../../input/places.ts';
import { scheduleFlags } from '../../input/schedule-flags.ts';
import { instantIn } from '../../output/age.ts';

interface Made {
  readonly name: string;
  readonly nextAtMs?: number | undefined;
  readonly repeated: boolean;
}

interface Typed {
  readonly words: readonly string[];
  /** What stands behind `--`. */
  readonly tail: readonly string[] | undefined;
  /** A template makes the task where there is nothing else to run. */
  readonly uses: boolean;
}

export default class ScheduleCreate extends BaseCommand {
  static override summary = 'Create a schedule.';
  static override description =
    'What runs is said as for `tsched submit`. The time zone is UTC unless --timezone is given. ' +
    'A day of the month that a month does not have is its last day. A time of day that is skipped ' +
    'when clocks go forward fires right after; one that comes twice fires the first time. A --cron ' +
    'pattern of plain times does the same; one with a * or a step in minute or hour keeps to real ' +
    'time, and months without its day are skipped; where both the day of the month and of the week ' +
    'are given it fires on either. Each occurrence fires once, whatever happens to nodes and their ' +
    'clocks. Creating the same schedule again changes nothing. With --template it keeps the task ' +
    'that the template makes now: later revisions change nothing of it.\n\n' +
    exitCodeText([0, 1, 2, 6, 7, 8]);
  static override usage = [
    'schedule create NAME [flags] -- COMMAND [ARGS]',
    'schedule create NAME [flags] SCRIPT [ARGS]',
    'schedule create NAME [flags] --template NAME --set K=V',
    'schedule create -f FILE|-',
  ];
  static override examples = [
    '<%= config.bin %> schedule create nightly --every daily --at 02:30 --timezone Europe/Berlin -- ./etl.sh',
    '<%= config.bin %> schedule create report --every monthly --day last --at 18:00 ./report.sh',
    '<%= config.bin %> schedule create poll --cron "*/5 8-18 * * mon-fri" --overlap skip -- ./poll.sh',
    '<%= config.bin %> schedule create nightly --every daily --at 02:30 --template etl --set mode=fast',
    '<%= config.bin %> schedule create -f schedules.yaml',
  ];
  static override strict = false;
  static override flags = {
    file: string({
      char: 'f',
      description: 'YAML or JSON file of schedules; - is standard input',
      helpValue: 'FILE',
    }),
    ...scheduleFlags,
  };

  override async run(): Promise<unknown> {
    // oclif sorts what it parses; the program's own arguments are taken as they stand.
    const end = this.argv.indexOf('--');
    const tail = end === -1 ? undefined : this.argv.slice(end + 1);
    const { flags, raw } = await this.parse(
      ScheduleCreate,
      end === -1 ? this.argv : this.argv.slice(0, end),
    );
    this.begin(flags);
    const words = raw.flatMap(token => (token.type === 'arg' ? [token.input] : []));
    const uses = flags.template !== undefined;
    const inputs = await this.#inputs(flags.file, { words, tail, uses });
    const { documentOfScheduleFlags, prepareSchedules } = await import(
      '../../input/schedule-flags.ts'
    );
    const prepared = prepareSchedules(inputs, documentOfScheduleFlags(flags));
    const client = await this.connect(flags);
    const made: Made[] = [];
    for (const { document, place } of prepared) {
      const call = { method: 'POST', path: '/v1/schedules', body: document } as const;
      const { body } = await client.call<Made>({ ...call, repeatable: true, place });
      made.push(body);
      this.printIds([body.name]);
      const { timezone } = document as { readonly timezone?: string };
      this.print(madeLine(body, timezone ?? 'UTC'));
    }
    return made.length === 1 ? made[0] : { schedules: made };
  }

  async #inputs(
    file: string | undefined,
    { words, tail, uses }: Typed,
  ): Promise<readonly TaskInput[]> {
    if (file !== undefined) {
      if (words.length > 0 || tail !== undefined) {
        throw usageError('-f and a name or command exclude each other', 'Put them into the file.');
      }
      const [{ readTaskText }, { readTaskFile }] = await Promise.all([
        import('../../input/read-input.ts'),
        import('../../input/task-file.ts'),
      ]);
      const shown = file === '-' ? 'stdin' : file;
      return readTaskFile(await readTaskText(file), shown).map(source => ({
        value: source.value,
        source,
      }));
    }
    const [name, ...script] = words;
    const { documentOfWords } = await import('../../input/command-line.ts');
    const task = documentOfWords(script, tail) ?? (uses ? {} : undefined);
    if (name === undefined || task === undefined) {
      const what = name === undefined ? 'the schedule has no name' : 'there is nothing to run';
      throw usageError(what, 'tsched schedule create NAME --every daily --at 02:30 -- ./etl.sh');
    }
    return [{ value: { name, task } }];
  }
}

function madeLine({ name, nextAtMs, repeated }: Made, zone: string): string {
  const next = nextAtMs === undefined ? '' : `, next ${instantIn(nextAtMs, zone)}`;
  return `schedule ${name} ${repeated ? 'was there already, the same' : 'created'}${next}`;
}
