/** `tsched pause`: what is named is not placed until it is resumed. */
import { boolean, string } from '@oclif/core/flags';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { ControlCommand } from '../control-command.ts';
import { chooseTargets } from '../control-targets.ts';
import { exitCodeText } from '../exit-codes.ts';
import type { PauseRow } from '../wire.ts';
import { listIn } from '../wire-lists.ts';

export default class Pause extends ControlCommand {
  static override summary =
    'Pause tasks, workflows, a tenant, or the placement of the whole cluster.';
  static override description =
    'What is paused is not placed until `tsched resume`; new tasks are still taken in. What runs goes ' +
    'on. With --suspend the whole process tree of what runs is stopped where it is: it keeps its room ' +
    'on the node and its lease, its cap stands still meanwhile, it survives a restart of its node, and ' +
    'a cancel ends it. Without a name, the tenants that are paused are listed. With one of a gang the others are paused. Pausing a tenant or the cluster needs an admin token. Repeating it is safe.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = [
    'pause [task] ID... [flags]',
    'pause workflow ID... [flags]',
    'pause tenant NAME [flags]',
    'pause cluster [flags]',
    'pause',
  ];
  static override examples = [
    '<%= config.bin %> pause 8f3a1c2e --reason "waits for the disk"',
    '<%= config.bin %> pause 8f3a1c2e --suspend',
    '<%= config.bin %> pause workflow 77b09d41',
    '<%= config.bin %> pause tenant search',
    '<%= config.bin %> pause cluster --reason maintenance',
  ];
  static override strict = false;
  static override flags = {
    suspend: boolean({ description: 'stop what runs where it is' }),
    release: boolean({ description: 'checkpoint what runs and give its room back: not built yet' }),
    reason: string({ description: 'told to whoever asks later', default: '' }),
  };

  override async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Pause);
    if (argv.length === 0) return this.#list(await this.connect(flags));
    const targets = chooseTargets(argv as string[], 'pause');
    if (flags.release) {
      throw new CliError('notYet', '--release needs checkpoints', {
        suggestion: 'Use --suspend: it stops what runs and keeps its room.',
      });
    }
    const client = await this.connect(flags);
    const { suspend, reason } = flags;
    return this.controlAll(client, 'pause', targets, { suspend, reason });
  }

  /** Without a name: what is paused beside single tasks. */
  async #list(client: Client): Promise<unknown> {
    const pauses = listIn<PauseRow>(await client.get<unknown>('/v1/pauses'), 'pauses');
    const { renderPauses } = await import('../output/pauses.ts');
    this.printIds(pauses.map(({ tenant }) => tenant));
    this.print(renderPauses(pauses, this.screen));
    return { pauses };
  }
}
