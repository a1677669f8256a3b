/** `tsched reserve release`: ends a reservation before its date. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class ReserveRelease extends BaseCommand {
  static override summary = 'Release a reservation: its room is free for all again.';
  static override description =
    'Tasks that run in it go on; those that wait for it wait until there is one of that name ' +
    `again, or are cancelled. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'reserve release NAME [flags]';
  static override examples = ['<%= config.bin %> reserve release nightly'];
  static override args = {
    name: stringArg({ description: 'name of the reservation', ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ReserveRelease);
    const { name } = args;
    if (name === undefined) throw usageError('name the reservation to release');
    const client = await this.connect(flags);
    await client.call({
      method: 'POST',
      path: `/v1/reservations/${encodeURIComponent(name)}/release`,
      repeatable: true,
    });
    this.printIds([name]);
    this.print(`reservation ${name} released`);
    return { released: name };
  }
}
