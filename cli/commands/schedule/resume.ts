/** `tsched schedule resume`: it fires again from now on. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class ScheduleResume extends BaseCommand {
  static override summary = 'Resume a schedule.';
  static override description =
    `It fires again from now on. What passed meanwhile is not caught up with; \`tsched schedule backfill\` fires it.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'schedule resume NAME [flags]';
  static override examples = ['<%= config.bin %> schedule resume nightly'];
  static override args = { name: stringArg({ description: 'schedule', required: true }) };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ScheduleResume);
    const client = await this.connect(flags);
    const path = `/v1/schedules/${encodeURIComponent(args.name)}/resume`;
    const call = { method: 'POST', path, body: {} } as const;
    const reply = await client.call<unknown>({ ...call, repeatable: true });
    this.printIds([args.name]);
    this.print(`schedule ${args.name} fires again`);
    return reply.body;
  }
}
