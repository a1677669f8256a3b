/** `tsched quota show`: what plans allow. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { CliError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TenantPlanRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class QuotaShow extends BaseCommand {
  static override summary = 'Show what the plans of tenants allow.';
  static override description =
    `What a tenant has used of its plan: \`tsched tenant show\`. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'quota show [PLAN] [flags]';
  static override examples = [
    '<%= config.bin %> quota show',
    '<%= config.bin %> quota show standard',
  ];
  static override args = {
    plan: stringArg({ description: 'only this plan', ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(QuotaShow);
    const client = await this.connect(flags);
    const all = listIn<TenantPlanRow>(await client.get<unknown>('/v1/plans'), 'plans');
    const plans = args.plan === undefined ? all : all.filter(({ name }) => name === args.plan);
    if (plans.length === 0) throw new CliError('unknownPlan', `there is no plan ${args.plan}`);
    const { renderPlans } = await import('../../output/tenants.ts');
    this.printIds(plans.map(({ name }) => name));
    this.print(renderPlans(plans, this.screen));
    return { plans };
  }
}
