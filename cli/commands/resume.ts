/** `tsched resume`: what was paused may be placed again; what was suspended goes on. */
import { ControlCommand } from '../control-command.ts';
import { chooseTargets } from '../control-targets.ts';
import { exitCodeText } from '../exit-codes.ts';

export default class Resume extends ControlCommand {
  static override summary = 'Resume what was paused.';
  static override description =
    'A task stands in the queue as of now; what was suspended goes on where it was. A task of a ' +
    'tenant or cluster that is paused still waits for that. Repeating it is safe.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = [
    'resume [task] ID... [flags]',
    'resume workflow ID...',
    'resume tenant NAME',
    'resume cluster',
  ];
  static override examples = [
    '<%= config.bin %> resume 8f3a1c2e',
    '<%= config.bin %> resume workflow 77b09d41',
    '<%= config.bin %> resume tenant search',
    '<%= config.bin %> resume cluster',
  ];
  static override strict = false;

  override async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Resume);
    const targets = chooseTargets(argv as string[], 'resume');
    const client = await this.connect(flags);
    return this.controlAll(client, 'resume', targets, {});
  }
}
