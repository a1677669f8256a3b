/** `tsched token list`: who may speak to the cluster. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TokenRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class TokenList extends BaseCommand {
  static override summary = 'List the tokens: whose they are and what they may do.';
  static override description =
    `The tokens themselves are not known to the cluster. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'token list [flags]';
  static override examples = ['<%= config.bin %> token list'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(TokenList);
    const client = await this.connect(flags);
    const tokens = listIn<TokenRow>(await client.get<unknown>('/v1/tokens'), 'tokens');
    const { renderTokens } = await import('../../output/tenants.ts');
    this.printIds(tokens.map(({ id }) => id));
    this.print(renderTokens(tokens, Date.now(), this.screen));
    return { tokens };
  }
}
