/** `tsched token revoke`: a token is good no more. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TokenRow } from '../../wire.ts';

export default class TokenRevoke extends BaseCommand {
  static override summary = 'Revoke a token.';
  static override description =
    'Every node refuses it within a second. The last admin token that does not expire cannot be ' +
    `revoked. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'token revoke ID [flags]';
  static override examples = ['<%= config.bin %> token revoke 4f2a90c1d7e3'];
  static override args = {
    id: stringArg({
      description: 'ID or name, as in `tsched token list`',
      required: true,
      ignoreStdin: true,
    }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TokenRevoke);
    const client = await this.connect(flags);
    const { body } = await client.call<TokenRow>({
      method: 'POST',
      path: `/v1/tokens/${encodeURIComponent(args.id)}/revoke`,
      // Once more would find none.
      repeatable: false,
    });
    this.printIds([body.id]);
    this.print(`token ${body.name} (${body.id}) of tenant ${body.tenant} is revoked`);
    return body;
  }
}
