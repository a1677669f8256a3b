/** `tsched quota set`: changes a plan, or makes one. */
import { string as stringArg } from '@oclif/core/args';
import { boolean } from '@oclif/core/flags';
import { planFieldNames, planMeaning } from '../../../src/model/plan.ts';
import { closestName } from '../../../src/model/spec-fields.ts';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TenantPlanRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

const meanings = planFieldNames.map(name => `  ${name}: ${planMeaning(name)}`).join('\n');

export default class QuotaSet extends BaseCommand {
  static override summary = 'Change what a plan allows, or make a plan of your own.';
  static override description =
    'free, standard, premium and unlimited are built in; any other name makes a new plan. NAME=none ' +
    'is no limit, NAME= brings back what is built in. It holds for all its tenants within seconds. ' +
    `Needs an admin token.\n\n${meanings}\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'quota set PLAN NAME=VALUE... [flags]';
  static override examples = [
    '<%= config.bin %> quota set free submitsPerSecond=2 waiting=100',
    '<%= config.bin %> quota set nightly submitsPerHour=5000 cpu=16 memory=64GiB cap=4h weight=1',
    '<%= config.bin %> quota set free --reset',
  ];
  static override strict = false;
  static override args = {
    plan: stringArg({ description: 'the plan', required: true, ignoreStdin: true }),
  };
  static override flags = {
    reset: boolean({
      description: 'forget what was set: a built-in plan is as it was, another is gone',
    }),
  };

  override async run(): Promise<unknown> {
    const { args, argv, flags } = await this.parse(QuotaSet);
    const values = readValues((argv as string[]).slice(1));
    // A flag that is not given is undefined.
    if ((flags.reset ?? false) === Object.keys(values).length > 0) {
      throw usageError('say what to set, NAME=VALUE, or --reset');
    }
    const client = await this.connect(flags);
    const path = `/v1/plans/${encodeURIComponent(args.plan)}`;
    const { body } = await client.call<unknown>({
      method: 'POST',
      path: flags.reset ? `${path}/reset` : path,
      ...(flags.reset ? {} : { body: values }),
      repeatable: true,
    });
    const plans = flags.reset ? listIn<TenantPlanRow>(body, 'plans') : [body as TenantPlanRow];
    const { renderPlans } = await import('../../output/tenants.ts');
    this.printIds([args.plan]);
    this.print(renderPlans(plans, this.screen));
    return { plans };
  }
}

function readValues(words: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw usageError(`"${word}" is not NAME=VALUE`, '`tsched quota set --help`');
    const name = word.slice(0, at);
    if (!planFieldNames.includes(name)) {
      const close = closestName(name, planFieldNames);
      const meant = close === undefined ? planFieldNames.join(', ') : `${close}=...`;
      throw usageError(`a plan has no "${name}"`, meant);
    }
    values[name] = word.slice(at + 1);
  }
  return values;
}
