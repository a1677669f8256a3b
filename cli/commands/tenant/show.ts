/** `tsched tenant show`: what a tenant may ask for, and what its tasks hold. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TenantCard } from '../../wire.ts';

export default class TenantShow extends BaseCommand {
  static override summary = 'Show a tenant: its plan, and what its tasks hold.';
  static override description =
    `A token of the tenant is enough. USED is over all shards, now.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'tenant show NAME [flags]';
  static override examples = ['<%= config.bin %> tenant show acme'];
  static override args = {
    name: stringArg({ description: 'the tenant', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TenantShow);
    const client = await this.connect(flags);
    const tenant = await client.get<TenantCard>(`/v1/tenants/${encodeURIComponent(args.name)}`);
    const { renderTenant } = await import('../../output/tenants.ts');
    this.printIds([tenant.name]);
    this.print(renderTenant(tenant, this.screen));
    return tenant;
  }
}
