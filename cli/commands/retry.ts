/** `tsched retry`: a new task with the specification of a settled one. */
import { string as stringArg } from '@oclif/core/args';
import { shortId } from '../../src/model/ids.ts';
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import type { Submitted } from '../wire.ts';

export default class Retry extends BaseCommand {
  static override summary = 'Run a settled task again, as a new task.';
  static override description =
    'A settled task never changes: the new one has an ID of its own and names the old one in ' +
    `\`retryOf\`. It is not repeated by itself where the outcome is unknown.\n\n${exitCodeText([
      0, 1, 2, 6, 7, 8,
    ])}`;
  static override usage = 'retry ID [flags]';
  static override examples = ['<%= config.bin %> retry 8f3a1c2e'];
  static override args = {
    id: stringArg({ description: 'settled task', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Retry);
    const client = await this.connect(flags);
    const { body } = await client.call<Submitted>({
      method: 'POST',
      path: `/v1/tasks/${encodeURIComponent(args.id)}/retry`,
      repeatable: false,
    });
    this.printIds([body.id]);
    this.print(`task ${body.id} accepted, a retry of ${args.id}`);
    this.print(`  try: tsched wait ${shortId(body.id)}`);
    return body;
  }
}
