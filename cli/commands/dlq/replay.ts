/** `tsched dlq replay`: new tasks in place of dead letters. */
import { shortId } from '../../../src/model/ids.ts';
import { DeadLetterCommand } from '../../dead-letter-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class DlqReplay extends DeadLetterCommand {
  static override summary = 'Run dead letters again, each as a new task.';
  static override description =
    'The new task has the specification of the old one, which it names in `retryOf`, and begins ' +
    'with no run behind it. Each dead letter is replayed once: with that it is none any more. Tasks ' +
    'with an order key stand at the end of its line. A replay counts as a submit: what the limits ' +
    'of its tenant do not let in stays a dead letter, and is told with when to try again.\n\n' +
    exitCodeText([0, 1, 2, 6, 7, 8]);
  static override usage = 'dlq replay [ID...] [flags]';
  static override examples = [
    '<%= config.bin %> dlq replay 8f3a1c2e',
    '<%= config.bin %> dlq replay --all --name nightly',
  ];

  /** Said again: oclif looks at what a class has itself. */
  static override args = DeadLetterCommand.args;

  protected readonly verb = 'replay' as const;

  protected done(old: string, { id }: { readonly id: string }): string {
    return `task ${shortId(old)} replayed as ${id}`;
  }

  override run(): Promise<unknown> {
    return this.change(DlqReplay);
  }
}
