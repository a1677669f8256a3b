/** `tsched dev`: a cluster on this machine in one command. */

import { resolve } from 'node:path';
import { boolean, string } from '@oclif/core/flags';
import { limits } from '../../src/model/limits.ts';
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import { readCount } from '../input/values.ts';

const shardsDefault = 16;
const nodesDefault = 3;
const portDefault = 7070;

export default class Dev extends BaseCommand {
  static override summary = 'Run a whole cluster on this machine, until Ctrl-C.';
  static override description =
    'Three nodes with their own data directories, a small workload that is shown settling, and a ' +
    'profile, so that `tsched submit` in another terminal just works. It prints ' +
    `\`ready http://HOST:PORT\` once tasks are taken.\n\n${exitCodeText([0, 1, 2])}`;
  static override usage = 'dev [flags]';
  static override examples = [
    '<%= config.bin %> dev',
    '<%= config.bin %> dev --nodes 5 --dir /tmp/try --no-workload',
  ];
  static override flags = {
    dir: string({ description: 'where the nodes keep their data', default: '.tsched-dev' }),
    nodes: string({ description: `how many; ${nodesDefault} unless given`, helpValue: 'N' }),
    shards: string({
      description: `of a new cluster; ${shardsDefault} unless given`,
      helpValue: 'N',
    }),
    port: string({
      description: `HTTP port of the first node, the next ones follow; ${portDefault} unless given`,
      helpValue: 'PORT',
    }),
    workload: boolean({ description: 'submit a small workload', default: true, allowNo: true }),
  };

  readonly #addresses: string[] = [];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(Dev);
    this.begin(flags);
    const shards = readCount('shards', flags.shards, { min: 1, max: limits.shardsMax });
    const nodes = readCount('nodes', flags.nodes, { min: 1, max: 50 }) ?? nodesDefault;
    const httpPort = readCount('port', flags.port, { min: 0, max: 65_500 }) ?? portDefault;
    const dir = resolve(flags.dir);
    const { loadNodeProgram } = await import('../node-program.ts');
    const { runDev } = await loadNodeProgram();
    const options = {
      dir,
      shards: shards ?? shardsDefault,
      httpPort,
      nodes,
      workload: flags.workload,
    };
    await runDev(options, line => this.#onLine(line, dir));
    return undefined;
  }

  /** The profile is written once the cluster takes tasks: from then on commands find every node. */
  #onLine(line: string, dir: string): void {
    this.print(line);
    const address = /^node-\d+\s+https?:\/\/(\S+)/.exec(line)?.[1];
    if (address !== undefined) this.#addresses.push(address);
    const ready = /^ready https?:\/\/(\S+)/.exec(line)?.[1];
    if (ready === undefined) return;
    const others = this.#addresses.filter(known => known !== ready);
    this.#writeProfile([ready, ...others].join(','), dir).catch((error: unknown) => {
      this.note(`warning: the profile was not written: ${String(error)}`);
    });
  }

  async #writeProfile(address: string, dir: string): Promise<void> {
    const { devTokenFile } = await import('../dev-token.ts');
    const { configDirOf, writeProfile } = await import('../profile.ts');
    const tokenFile = devTokenFile(dir);
    if (tokenFile === undefined) {
      this.note(`warning: no admin.token under ${dir}; give --token-file to other commands`);
      return;
    }
    writeProfile(configDirOf(process.env), { address, tokenFile });
  }
}
