/** `tsched explain`: why a task is where it is, and what was decided about it. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import type { TaskExplanation } from '../wire.ts';

export default class Explain extends BaseCommand {
  static override summary = 'Tell why a task is where it is, and when it is likely to start.';
  static override description =
    'A reason from a closed set, its place in line, an estimate of its start with what that rests ' +
    'on, its start bound, what each node says to it, and what was decided about it so far. The ' +
    `order of waiting tasks is per shard.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'explain ID [flags]';
  static override examples = [
    '<%= config.bin %> explain 77b0',
    '<%= config.bin %> explain last --json',
  ];
  static override args = {
    id: stringArg({ description: 'task', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Explain);
    const client = await this.connect(flags);
    const path = `/v1/tasks/${encodeURIComponent(args.id)}/explain`;
    const { onlyTask } = await import('../workflow-client.ts');
    const ask = () => client.get<TaskExplanation>(path);
    const explanation = await onlyTask(client, args.id, ask);
    const { renderExplanation } = await import('../output/explanation.ts');
    this.printIds([explanation.id]);
    this.print(renderExplanation(explanation, this.screen));
    return explanation;
  }
}
