/** `tsched plan`: what would become of tasks, and where they would start; nothing is submitted. */
import { BaseCommand } from '../base-command.ts';
import type { Client } from '../client.ts';
import { exitCodeText } from '../exit-codes.ts';
import { readInputs } from '../input/inputs.ts';
import { documentOfFlags, filesFlag, specFlags } from '../input/spec-flags.ts';
import type { PreparedWorkflow } from '../input/workflow.ts';
import type { PlannedStepRow, PlanRow, WorkflowPlan } from '../wire.ts';
import { listIn } from '../wire-lists.ts';

/** Ten thousand tasks are a few megabytes to read. */
const workflowMs = 30_000;

export default class Plan extends BaseCommand {
  static override summary = 'Tell what would become of tasks, without submitting them.';
  static override description =
    'Takes what `tsched submit` takes. The planner is asked where the tasks would start now, from ' +
    'what the nodes advertise; what waits already comes first in truth, and nothing is kept free.\n\n' +
    'Of a workflow (a map with `tasks`, in one file or in several) it tells the stages, what its ' +
    'first tasks would do together, and of each other one where it would start by itself once it is ' +
    'its turn, if nodes were as they are now.\n\n' +
    exitCodeText([0, 1, 2, 6, 7]);
  static override usage = [
    'plan [flags] -f FILE|- [-f FILE]...',
    'plan [flags] -- COMMAND [ARGS]',
    'plan [flags] SCRIPT [ARGS]',
  ];
  static override examples = [
    '<%= config.bin %> plan -f tasks.yaml',
    '<%= config.bin %> plan -f workflow.yaml',
    '<%= config.bin %> plan -f extract.yaml -f load.yaml --json',
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
      verb: 'plan',
    });
    const { makeIdSource, prepareTasks } = await import('../input/tasks.ts');
    const [fromFlags, drawId] = [documentOfFlags(flags), makeIdSource(Date.now())];
    if (flags.file !== undefined) {
      const { prepareWorkflow } = await import('../input/workflow.ts');
      const workflow = prepareWorkflow(inputs, fromFlags, drawId);
      if (workflow !== undefined) return this.#workflow(await this.connect(flags), workflow);
    }
    const prepared = prepareTasks(inputs, fromFlags, drawId);
    const client = await this.connect(flags);
    const { body } = await client.call<unknown>({
      method: 'POST',
      path: '/v1/plan',
      body: { tasks: prepared.map(({ document }) => document) },
      repeatable: true,
    });
    const plans = listIn<PlanRow>(body, 'plans');
    const { renderPlans, planExit } = await import('../output/plan.ts');
    const placings = prepared.map(({ place }) => place);
    this.print(renderPlans(plans, this.screen, placings));
    this.exitWith(planExit(plans));
    return { plans };
  }

  async #workflow(client: Client, { document, place }: PreparedWorkflow): Promise<unknown> {
    const { body } = await client.call<WorkflowPlan>({
      method: 'POST',
      path: '/v1/workflows/plan',
      body: document,
      repeatable: true,
      timeoutMs: workflowMs,
      place,
    });
    const plan = { ...body, plans: listIn<PlannedStepRow>(body, 'plans') };
    const { renderWorkflowPlan, planExit } = await import('../output/plan.ts');
    this.print(renderWorkflowPlan(plan, this.screen));
    this.exitWith(planExit([plan]));
    return plan;
  }
}
