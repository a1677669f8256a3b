/** `tsched schedule backfill`: fires occurrences of the past. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { limits } from '../../../src/model/limits.ts';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

interface Backfilled {
  readonly occurrences: readonly number[];
  readonly request: string;
  readonly repeated: boolean;
}

export default class ScheduleBackfill extends BaseCommand {
  static override summary = 'Fire occurrences of the past.';
  static override description =
    `Those from --from up to --to, both included, at most ${limits.backfillMax}, whether they fired ` +
    'before or not; one after the other, unless the schedule allows overlaps. They do not count ' +
    'for the --count of the schedule.' +
    `\n\n${exitCodeText([0, 1, 2, 6, 7, 8])}`;
  static override usage = 'schedule backfill NAME --from INSTANT --to INSTANT [flags]';
  static override examples = [
    '<%= config.bin %> schedule backfill nightly --from 2027-01-01 --to 2027-01-31T23:59Z',
  ];
  static override args = { name: stringArg({ description: 'schedule', required: true }) };
  static override flags = {
    from: string({
      description: 'first instant, ISO 8601; UTC without an offset',
      helpValue: 'INSTANT',
      required: true,
    }),
    to: string({
      description: 'last instant, not after now',
      helpValue: 'INSTANT',
      required: true,
    }),
    request: string({
      description: 'name of the request, to repeat one whose outcome is unknown',
      helpValue: 'TEXT',
    }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ScheduleBackfill);
    const client = await this.connect(flags);
    const { makeIdSource } = await import('../../input/tasks.ts');
    const request = flags.request ?? makeIdSource(Date.now())();
    const path = `/v1/schedules/${encodeURIComponent(args.name)}/backfill`;
    const { from, to } = flags;
    const call = { method: 'POST', path, body: { from, to, request } } as const;
    const ids = [request];
    const { body } = await client.call<Backfilled>({ ...call, repeatable: true, ids });
    const { renderOccurrences } = await import('../../output/schedules.ts');
    const count = body.occurrences.length;
    this.printIds([args.name]);
    this.print(
      count === 0
        ? `schedule ${args.name} has no occurrence in that time`
        : `schedule ${args.name} fires ${count} of the past\n` +
            renderOccurrences(body.occurrences, 'UTC', this.screen),
    );
    return body;
  }
}
