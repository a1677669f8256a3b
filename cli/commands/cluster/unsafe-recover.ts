/** `tsched cluster unsafe-recover`: goes on without a majority that is lost for good. */

import { resolve } from 'node:path';
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';

const consent = 'i-understand-that-acknowledged-tasks-may-be-lost';

export default class ClusterUnsafeRecover extends BaseCommand {
  static override summary = 'Go on without a majority of nodes that is lost for good.';
  static override description =
    'Only for shards that stand still because most of their nodes will never return. Run on the data ' +
    'directory of each node that is left, none of them running, with the same --lost. Each such shard ' +
    'goes on with what one store holds: tasks that were acknowledged and outcomes that were recorded ' +
    'elsewhere may be missing, and tasks may run again; fencing numbers go on above all that were ' +
    'given before. The lost nodes must never be started again. Without the flag that says so it ' +
    `only prints what it would do.\n\n${exitCodeText([0, 1, 2, 74])}`;
  static override usage = 'cluster unsafe-recover --data-dir DIR --lost ID[,ID...] [flags]';
  static override examples = [
    '<%= config.bin %> cluster unsafe-recover --data-dir /var/lib/tsched --lost node-b,node-c',
  ];
  static override flags = {
    'data-dir': string({
      description: 'of a node that is left and does not run',
      required: true,
      helpValue: 'DIR',
    }),
    lost: string({
      description: 'names or IDs of the nodes that will never return',
      required: true,
      helpValue: 'ID[,ID...]',
    }),
    [consent]: boolean({ description: 'carry it out' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ClusterUnsafeRecover);
    this.begin(flags);
    const lost = flags.lost.split(',').filter(name => name !== '');
    if (lost.length === 0) throw usageError('--lost names no node');
    const carryOut = flags[consent] === true;
    const { loadNodeProgram } = await import('../../node-program.ts');
    const { recoverUnsafely } = await loadNodeProgram();
    const dataDir = resolve(flags['data-dir']);
    const plan = await recoverUnsafely({ dataDir, lost, carryOut });
    const { renderRecovery } = await import('../../output/cluster.ts');
    this.printIds(plan.groups.filter(one => one.plan === 'recover').map(one => String(one.group)));
    this.print(renderRecovery(plan, carryOut, this.screen));
    if (!carryOut) this.print(`nothing was changed; to carry it out: --${consent}`);
    return { ...plan, carriedOut: carryOut };
  }
}
