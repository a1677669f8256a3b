/** `tsched cluster init`: a cluster of one node, to be started and joined. */

import { dirname, join, resolve } from 'node:path';
import { string } from '@oclif/core/flags';
import { limits } from '../../../src/model/limits.ts';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readCount, readDuration } from '../../input/values.ts';

const shardsDefault = 64;

export default class ClusterInit extends BaseCommand {
  static override summary = 'Make a new cluster of one node in an empty data directory.';
  static override description =
    'Writes the identity of the node, the registry and `admin.token` (readable by you only) into the ' +
    'data directory, and a profile, so that later commands of yours find both. Then start the node, ' +
    'print a join token with `tsched cluster token`, and start other nodes with it.\n\n' +
    exitCodeText([0, 1, 2, 74]);
  static override usage = 'cluster init --data-dir DIR [flags]';
  static override examples = [
    '<%= config.bin %> cluster init --data-dir /var/lib/tsched',
    '<%= config.bin %> cluster init --data-dir ./a --shards 16 --name node-a',
  ];
  static override flags = {
    'data-dir': string({ description: 'empty or new directory', required: true, helpValue: 'DIR' }),
    shards: string({
      description: `a power of two, fixed for the life of the cluster; ${shardsDefault} unless given`,
      helpValue: 'N',
    }),
    'dead-after': string({
      description: 'a node silent for this long is replaced; 5m unless given, 10s at least',
      helpValue: 'DURATION',
    }),
    name: string({ description: 'name of the node; the name of the machine unless given' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ClusterInit);
    this.begin(flags);
    const shards =
      readCount('shards', flags.shards, { min: 1, max: limits.shardsMax }) ?? shardsDefault;
    if ((shards & (shards - 1)) !== 0) {
      throw usageError(`--shards ${shards} is not a power of two`, 'Give 16, 64 or 256.');
    }
    const deadAfterMs = readDuration('dead-after', flags['dead-after']);
    const dataDir = resolve(flags['data-dir']);
    const { loadNodeProgram } = await import('../../node-program.ts');
    const { initCluster } = await loadNodeProgram();
    const made = await initCluster({
      dataDir,
      shards,
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(deadAfterMs === undefined ? {} : { deadAfterMs }),
    });
    const { configDirOf, defaultHttpAddress, writeProfile } = await import('../../profile.ts');
    let profile: string | undefined;
    try {
      profile = writeProfile(configDirOf(process.env), {
        address: defaultHttpAddress,
        tokenFile: made.tokenFile,
        addressFile: join(dirname(made.tokenFile), 'http.address'),
      });
    } catch (error) {
      this.note(`warning: the profile was not written: ${(error as Error).message}`);
    }
    this.printIds([made.clusterId]);
    this.print(`cluster ${made.clusterId} made in ${dataDir}, ${shards} shards`);
    this.print(`  admin token  ${made.tokenFile}`);
    if (profile !== undefined) this.print(`  profile      ${profile}`);
    this.print(`  try: tsched node start --data-dir ${flags['data-dir']}`);
    return { ...made, dataDir, shards, profile };
  }
}
