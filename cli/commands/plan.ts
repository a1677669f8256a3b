/** `tsched plan`: what would become of tasks, and where they would start; nothing is submitted. */
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import { readInputs } from '../input/inputs.ts';
import { documentOfFlags, filesFlag, specFlags } from '../input/spec-flags.ts';
import type { PlanRow } from '../wire.ts';
import { listIn } from '../wire-lists.ts';

export default class Plan extends BaseCommand {
  static override summary = 'Tell what would become of tasks, without submitting them.';
  static override description =
    'Takes what `tsched submit` takes. The planner is asked where the tasks would start now, from ' +
    'what the nodes advertise; what waits already comes first in truth, and nothing is kept free.\n\n' +
    exitCodeText([0, 1, 2, 6, 7]);
  static override usage = [
    'plan [flags] -f FILE|-',
    'plan [flags] -- COMMAND [ARGS]',
    'plan [flags] SCRIPT [ARGS]',
  ];
  static override examples = [
    '<%= config.bin %> plan -f tasks.yaml',
    '<%= config.bin %> plan --tier premium --cpu 8 --array 1-100 -- ./render.sh',
  ];
  static override strict = false;
  static override flags = {
    file: filesFlag,
    ...specFlags,
  };

  override async run(): Promise<unknown> {
    const end = this.argv.indexOf('--');
    const tail = end === -1 ? undefined : this.argv.slice(end + 1);
    const { flags, raw } = await this.parse(Plan, end === -1 ? this.argv : this.argv.slice(0, end));
    this.begin(flags);
    const words = raw.flatMap(token => (token.type === 'arg' ? [token.input] : []));
    const inputs = await readInputs({
      files: flags.file,
      template: flags.template,
      words,
      tail,
    });
    const { makeIdSource, prepareTasks } = await import('../input/tasks.ts');
    const prepared = prepareTasks(inputs, documentOfFlags(flags), makeIdSource(Date.now()));
    const client = await this.connect(flags);
    const { body } = await client.call<unknown>({
      method: 'POST',
      path: '/v1/plan',
      body: { tasks: prepared.map(({ document }) => document) },
      repeatable: true,
    });
    const plans = listIn<PlanRow>(body, 'plans');
    const { renderPlans, planExit } = await import('../output/plan.ts');
    this.print(renderPlans(plans, this.screen));
    this.exitWith(planExit(plans));
    return { plans };
  }
}
