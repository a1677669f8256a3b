/** `tsched schedule pause`: nothing fires until it is resumed. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class SchedulePause extends BaseCommand {
  static override summary = 'Pause a schedule.';
  static override description =
    `Nothing fires until it is resumed; what runs goes on. Occurrences that pass meanwhile are not caught up with.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'schedule pause NAME [flags]';
  static override examples = [
    '<%= config.bin %> schedule pause nightly --reason "the source is down"',
  ];
  static override args = { name: stringArg({ description: 'schedule', required: true }) };
  static override flags = {
    reason: string({ description: 'told to whoever asks later', default: '' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(SchedulePause);
    const client = await this.connect(flags);
    const path = `/v1/schedules/${encodeURIComponent(args.name)}/pause`;
    const call = { method: 'POST', path, body: { reason: flags.reason } } as const;
    const reply = await client.call<unknown>({ ...call, repeatable: true });
    this.printIds([args.name]);
    this.print(`schedule ${args.name} is paused`);
    return reply.body;
  }
}
