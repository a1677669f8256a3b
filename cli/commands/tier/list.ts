/** `tsched tier list`: what each tier gives to tasks. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TierRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class TierList extends BaseCommand {
  static override summary = 'List the tiers, and what each gives to tasks.';
  static override description =
    'A task of a tier that names no amounts is given these, and runs on nodes of that tier or a ' +
    `higher one.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'tier list [flags]';
  static override examples = ['<%= config.bin %> tier list', '<%= config.bin %> tier list --json'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(TierList);
    const client = await this.connect(flags);
    const tiers = listIn<TierRow>(await client.get<unknown>('/v1/tiers'), 'tiers');
    const { renderTiers } = await import('../../output/tiers.ts');
    this.printIds(tiers.map(({ tier }) => tier));
    this.print(renderTiers(tiers, this.screen));
    return { tiers };
  }
}
