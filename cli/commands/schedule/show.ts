/** `tsched schedule show`: one schedule, what it fired and what runs of it. */
import { string as stringArg } from '@oclif/core/args';
import type { ScheduleView } from '../../../src/model/schedule.ts';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class ScheduleShow extends BaseCommand {
  static override summary = 'Show a schedule.';
  static override description =
    'When it fires next, what runs, its newest tasks. SKIPPED counts occurrences given up because ' +
    'an earlier task had not settled, MISSED those that nobody could fire in time.\n\n' +
    exitCodeText([0, 1, 2, 6]);
  static override usage = 'schedule show NAME [flags]';
  static override examples = ['<%= config.bin %> schedule show nightly'];
  static override args = { name: stringArg({ description: 'schedule', required: true }) };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ScheduleShow);
    const client = await this.connect(flags);
    const path = `/v1/schedules/${encodeURIComponent(args.name)}`;
    const schedule = await client.get<ScheduleView>(path);
    const { renderSchedule } = await import('../../output/schedules.ts');
    this.printIds([schedule.name]);
    this.print(renderSchedule(schedule, this.screen));
    return schedule;
  }
}
