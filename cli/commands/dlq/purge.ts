/** `tsched dlq purge`: takes dead letters off the list. */
import { shortId } from '../../../src/model/ids.ts';
import { DeadLetterCommand } from '../../dead-letter-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class DlqPurge extends DeadLetterCommand {
  static override summary = 'Take dead letters off the list.';
  static override description =
    'The tasks stay in the history, with their attempts and output, until that expires, and ' +
    `\`tsched retry ID\` still runs one again. Repeating it is safe.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'dlq purge [ID...] [flags]';
  static override examples = [
    '<%= config.bin %> dlq purge 8f3a1c2e 77b09d41',
    '<%= config.bin %> dlq purge --all --name nightly',
  ];

  /** Said again: oclif looks at what a class has itself. */
  static override args = DeadLetterCommand.args;

  protected readonly verb = 'purge' as const;

  protected done(
    old: string,
    { id, repeated }: { id: string; repeated?: boolean | undefined },
  ): string {
    const named = shortId(id === '' ? old : id);
    return `task ${named} ${repeated === true ? 'was no dead letter' : 'purged'}`;
  }

  override run(): Promise<unknown> {
    return this.change(DlqPurge);
  }
}
