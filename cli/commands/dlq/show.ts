/** `tsched dlq show`: one dead letter, with its attempts and what can be done about it. */
import { string as stringArg } from '@oclif/core/args';
import type { TaskView } from '../../../src/model/task.ts';
import { BaseCommand } from '../../base-command.ts';
import { CliError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { renderTask } from '../../output/task.ts';

export default class DlqShow extends BaseCommand {
  static override summary = 'Show a dead letter and its attempts.';
  static override description = exitCodeText([0, 1, 2, 6]);
  static override usage = 'dlq show ID [flags]';
  static override examples = ['<%= config.bin %> dlq show 8f3a1c2e'];
  static override args = {
    id: stringArg({ description: 'dead letter', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DlqShow);
    const client = await this.connect(flags);
    const task = await client.get<TaskView>(`/v1/tasks/${encodeURIComponent(args.id)}`);
    if (task.deadLetter !== true) {
      throw new CliError('notDeadLetter', `task ${task.id} is ${task.state} and no dead letter`);
    }
    this.printIds([task.id]);
    this.print(renderTask(task, this.screen));
    return task;
  }
}
