/** `tsched schedule delete`: it never fires again. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class ScheduleDelete extends BaseCommand {
  static override summary = 'Delete a schedule.';
  static override description =
    `It never fires again. Its tasks go on, and stay in the history.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'schedule delete NAME [flags]';
  static override examples = ['<%= config.bin %> schedule delete nightly'];
  static override args = { name: stringArg({ description: 'schedule', required: true }) };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ScheduleDelete);
    const client = await this.connect(flags);
    const path = `/v1/schedules/${encodeURIComponent(args.name)}/delete`;
    const call = { method: 'POST', path, body: {} } as const;
    const reply = await client.call<unknown>({ ...call, repeatable: false });
    this.printIds([args.name]);
    this.print(`schedule ${args.name} is deleted`);
    return reply.body;
  }
}
