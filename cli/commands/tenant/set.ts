/** `tsched tenant set`: another plan for a tenant. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TenantRow } from '../../wire.ts';

export default class TenantSet extends BaseCommand {
  static override summary = 'Give a tenant another plan.';
  static override description =
    'It holds within seconds. What runs goes on, also where the new plan allows less. Needs an admin ' +
    `token.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'tenant set NAME --plan PLAN [flags]';
  static override examples = ['<%= config.bin %> tenant set acme --plan premium'];
  static override args = {
    name: stringArg({ description: 'the tenant', required: true, ignoreStdin: true }),
  };
  static override flags = {
    plan: string({ description: 'what it may ask for', required: true, helpValue: 'PLAN' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TenantSet);
    const client = await this.connect(flags);
    const { body } = await client.call<TenantRow>({
      method: 'POST',
      path: `/v1/tenants/${encodeURIComponent(args.name)}`,
      body: { plan: flags.plan },
      repeatable: true,
    });
    this.printIds([body.name]);
    this.print(`tenant ${body.name} has the plan ${body.plan}`);
    return body;
  }
}
