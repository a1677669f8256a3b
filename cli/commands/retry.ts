/** `tsched retry`: a new task with the specification of a settled one. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { shortId } from '../../src/model/ids.ts';
import { BaseCommand } from '../base-command.ts';
import { usageError } from '../cli-error.ts';
import { exitCodeText } from '../exit-codes.ts';
import type { Submitted } from '../wire.ts';

const starts: readonly string[] = ['failed', 'start'];

export default class Retry extends BaseCommand {
  static override summary = 'Run a settled task or workflow again, as a new one.';
  static override description =
    'A settled task never changes: the new one has an ID of its own and names the old one in ' +
    '`retryOf`. Of a workflow, `--from failed` keeps what succeeded and rests on nothing else, and ' +
    'runs what failed and what follows. It is not repeated by itself where the outcome is unknown.' +
    `\n\n${exitCodeText([0, 1, 2, 6, 7, 8])}`;
  static override usage = 'retry ID [flags]';
  static override examples = [
    '<%= config.bin %> retry 8f3a1c2e',
    '<%= config.bin %> retry 77b09d41 --from failed',
  ];
  static override flags = {
    from: string({
      description: 'of a workflow: failed (unless given), or start to run all of it',
      helpValue: 'WHERE',
    }),
  };
  static override args = {
    id: stringArg({ description: 'settled task or workflow', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Retry);
    const from = flags.from;
    if (from !== undefined && !starts.includes(from)) {
      throw usageError(`--from ${from} is not known`, `It is ${starts.join(' or ')}.`);
    }
    const client = await this.connect(flags);
    const path = `/v1/tasks/${encodeURIComponent(args.id)}/retry`;
    const { taskOrWorkflow, retryWorkflow } = await import('../workflow-client.ts');
    const found = await taskOrWorkflow(client, args.id, async () => {
      return (await client.call<Submitted>({ method: 'POST', path, repeatable: false })).body;
    });
    if ('workflow' in found) {
      const again = await retryWorkflow(client, found.workflow.id, from ?? 'failed');
      this.printIds([again.id]);
      this.print(`workflow ${again.id} accepted, a retry of ${found.workflow.id}`);
      this.print(`  try: tsched status ${shortId(again.id)} · tsched wait ${shortId(again.id)}`);
      return again;
    }
    const { task: body } = found;
    this.printIds([body.id]);
    this.print(`task ${body.id} accepted, a retry of ${args.id}`);
    this.print(`  try: tsched wait ${shortId(body.id)}`);
    return body;
  }
}
