/** `tsched tenant list`: who shares the cluster. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TenantRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class TenantList extends BaseCommand {
  static override summary = 'List the tenants.';
  static override description =
    `With a token of a tenant, only that one is shown.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'tenant list [flags]';
  static override examples = ['<%= config.bin %> tenant list'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(TenantList);
    const client = await this.connect(flags);
    const tenants = listIn<TenantRow>(await client.get<unknown>('/v1/tenants'), 'tenants');
    const { renderTenants } = await import('../../output/tenants.ts');
    this.printIds(tenants.map(({ name }) => name));
    this.print(renderTenants(tenants, this.screen));
    return { tenants };
  }
}
