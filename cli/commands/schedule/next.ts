/** `tsched schedule next`: what is to come of a schedule, or of one that is not made yet. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { formatInstant } from '../../../src/model/instant.ts';
import { limits } from '../../../src/model/limits.ts';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { timingFlags } from '../../input/schedule-flags.ts';
import { readCount } from '../../input/values.ts';

interface Found {
  readonly occurrences: readonly number[];
}

export default class ScheduleNext extends BaseCommand {
  static override summary = 'Show the next occurrences of a schedule.';
  static override description =
    'Of the schedule NAME, or without a name of what the flags say, so that a timing can be tried ' +
    `before it is used. Jitter comes on top.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = ['schedule next NAME [flags]', 'schedule next --cron PATTERN [flags]'];
  static override examples = [
    '<%= config.bin %> schedule next nightly --count 10',
    '<%= config.bin %> schedule next --every monthly --day 31 --timezone America/New_York',
    '<%= config.bin %> schedule next --cron "30 2 * * *" --timezone Europe/Berlin',
  ];
  static override args = { name: stringArg({ description: 'schedule' }) };
  static override flags = {
    count: string({ description: 'how many; 5 unless given', helpValue: 'N' }),
    ...timingFlags,
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ScheduleNext);
    const client = await this.connect(flags);
    const range = { min: 1, max: limits.nextOccurrencesMax };
    const count = readCount('count', flags.count, range) ?? 5;
    const [{ documentOfScheduleFlags, flagOfSchedule }, { placingOf }] = await Promise.all([
      import('../../input/schedule-flags.ts'),
      import('../../input/places.ts'),
    ]);
    const { count: _count, ...timing } = flags;
    const schedule = documentOfScheduleFlags(timing);
    const isTiming = Object.keys(schedule).length > 0;
    if ((args.name === undefined) !== isTiming) {
      throw usageError(
        'either the name of a schedule or flags that say when',
        'tsched schedule next NAME, or tsched schedule next --every daily --at 02:30',
      );
    }
    const named = args.name && `/v1/schedules/${encodeURIComponent(args.name)}`;
    const { timezone } =
      named === undefined ? timing : await client.get<{ timezone: string }>(named);
    const { occurrences } =
      named === undefined
        ? (
            await client.call<Found>({
              method: 'POST',
              path: '/v1/schedules/next',
              body: { schedule, count },
              repeatable: true,
              place: placingOf({ value: {} }, schedule, flagOfSchedule),
            })
          ).body
        : await client.get<Found>(`${named}/next?count=${count}`);
    const { renderOccurrences } = await import('../../output/schedules.ts');
    this.printIds(occurrences.map(formatInstant));
    this.print(renderOccurrences(occurrences, timezone ?? 'UTC', this.screen));
    return { occurrences: occurrences.map(formatInstant) };
  }
}
