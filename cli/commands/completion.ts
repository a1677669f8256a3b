/** `tsched completion`: prints the completion script of a shell. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../base-command.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export default class Completion extends BaseCommand {
  static override summary = 'Print the completion script of a shell.';
  static override description = 'Add the line of your shell to its start file.';
  static override usage = `completion ${shells.join('|')}`;
  static override examples = [
    'eval "$(<%= config.bin %> completion bash)"',
    '<%= config.bin %> completion zsh > "${fpath[1]}/_tsched"',
    '<%= config.bin %> completion fish > ~/.config/fish/completions/tsched.fish',
  ];
  static override args = {
    shell: stringArg({
      description: 'bash, zsh or fish; from SHELL without one',
      options: [...shells],
      ignoreStdin: true,
    }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Completion);
    this.begin(flags);
    const own = process.env['SHELL']?.split('/').pop();
    const shell = shells.find(known => known === (args.shell ?? own)) ?? 'bash';
    const [{ completionScript }, { readCommands }] = await Promise.all([
      import('../completion.ts'),
      import('../command-index.ts'),
    ]);
    const script = completionScript(shell, await readCommands());
    if (!this.jsonEnabled()) process.stdout.write(script);
    return { shell, script };
  }
}
