/** `tsched tenant create`: another tenant, whose tasks are its own. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { newTenantPlan } from '../../../src/model/plan.ts';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TenantRow } from '../../wire.ts';

export default class TenantCreate extends BaseCommand {
  static override summary = 'Make a tenant.';
  static override description =
    'A tenant sees its own tasks and no others, and may ask for what its plan allows (`tsched quota ' +
    `show\`). Give it tokens with \`tsched token create\`. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'tenant create NAME [flags]';
  static override examples = [
    '<%= config.bin %> tenant create acme',
    '<%= config.bin %> tenant create acme --plan free',
  ];
  static override args = {
    name: stringArg({
      description: 'lower-case letters, digits, ".", "-" and "_"',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    plan: string({ description: 'what it may ask for', default: newTenantPlan, helpValue: 'PLAN' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TenantCreate);
    const client = await this.connect(flags);
    const { body } = await client.call<TenantRow>({
      method: 'POST',
      path: '/v1/tenants',
      body: { name: args.name, plan: flags.plan },
      repeatable: true,
    });
    this.printIds([body.name]);
    this.print(
      `tenant ${body.name} has the plan ${body.plan}\n` +
        `  try: tsched token create NAME --tenant ${body.name}`,
    );
    return body;
  }
}
