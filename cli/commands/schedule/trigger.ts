/** `tsched schedule trigger`: fires a schedule now. */
import { string as stringArg } from '@oclif/core/args';
import { shortId } from '../../../src/model/ids.ts';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class ScheduleTrigger extends BaseCommand {
  static override summary = 'Fire a schedule now.';
  static override description =
    'Also where it is paused or over; not counted as one of its occurrences. Its rule for overlaps ' +
    'holds: with `skip` it is refused while a task has not settled, with `queue` the task is made ' +
    `once those before it have.\n\n${exitCodeText([0, 1, 2, 6, 7, 8])}`;
  static override usage = 'schedule trigger NAME [flags]';
  static override examples = [
    '<%= config.bin %> schedule trigger nightly',
    '<%= config.bin %> wait $(<%= config.bin %> schedule trigger nightly -q)',
  ];
  static override args = { name: stringArg({ description: 'schedule', required: true }) };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ScheduleTrigger);
    const client = await this.connect(flags);
    const { makeIdSource } = await import('../../input/tasks.ts');
    // Drawn here, so that it stays the same while the request is repeated.
    const id = makeIdSource(Date.now())();
    const path = `/v1/schedules/${encodeURIComponent(args.name)}/trigger`;
    const call = { method: 'POST', path, body: { id } } as const;
    const { body } = await client.call<{ id: string }>({ ...call, repeatable: true });
    this.printIds([body.id]);
    const short = shortId(body.id);
    this.print(`schedule ${args.name} fires: task ${body.id}\n  try: tsched wait ${short}`);
    return body;
  }
}
