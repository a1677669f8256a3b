/** `tsched cluster token`: a token with which another node can join. */

import { resolve } from 'node:path';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class ClusterToken extends BaseCommand {
  static override summary = 'Print a token with which another node can join.';
  static override description =
    'The token holds addresses of the cluster, its network key and a secret: treat it as a password. ' +
    'With --data-dir the running node of that directory is asked, else the node at --addr; an admin ' +
    `token is needed.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'cluster token [flags]';
  static override examples = [
    '<%= config.bin %> cluster token --data-dir /var/lib/tsched -q',
    '<%= config.bin %> node start --data-dir ./b --join "$(<%= config.bin %> cluster token -q)"',
  ];
  static override flags = {
    'data-dir': string({ description: 'of a node that runs on this machine', helpValue: 'DIR' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ClusterToken);
    this.begin(flags);
    const token = await this.#token(flags);
    this.printIds([token]);
    this.print(`${token}\n  try: tsched node start --data-dir DIR --join TOKEN`);
    return { token };
  }

  async #token(flags: Parameters<typeof this.connect>[0] & { 'data-dir'?: string | undefined }) {
    if (flags['data-dir'] !== undefined) {
      const { loadNodeProgram } = await import('../../node-program.ts');
      const { localJoinToken } = await loadNodeProgram();
      return localJoinToken(resolve(flags['data-dir']));
    }
    const client = await this.connect(flags);
    const { body } = await client.call<{ token?: string } | string>({
      method: 'POST',
      path: '/v1/cluster/join-token',
      repeatable: true,
    });
    return typeof body === 'string' ? body : (body.token ?? '');
  }
}
