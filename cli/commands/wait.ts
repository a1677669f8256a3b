/** `tsched wait`: until tasks have settled; the exit code tells how. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { shortId } from '../../src/model/ids.ts';
import { isSettled, type TaskView } from '../../src/model/task.ts';
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import { readDuration } from '../input/values.ts';

export default class Wait extends BaseCommand {
  static override summary = 'Wait until tasks and workflows have settled.';
  static override description =
    'The exit code tells how they ended; of several tasks the first of 5, 3, 4 that applies. The wait ' +
    `goes on over lost connections and restarted nodes.\n\n${exitCodeText([0, 1, 2, 3, 4, 5, 6])}`;
  static override usage = 'wait ID... [flags]';
  static override examples = [
    '<%= config.bin %> wait last',
    '<%= config.bin %> wait 8f3a1c2e 77b09d41 --timeout 5m',
    '<%= config.bin %> submit -q -f tasks.yaml | xargs <%= config.bin %> wait',
  ];
  static override args = {
    id: stringArg({
      description: 'tasks or workflows',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    timeout: string({ description: 'give up after this', helpValue: 'DURATION' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Wait);
    const timeoutMs = readDuration('timeout', flags.timeout);
    const client = await this.connect(flags);
    const [{ waitForTasks }, { renderTaskLine }, { waitExit }] = await Promise.all([
      import('../waiting.ts'),
      import('../output/task.ts'),
      import('../output/outcome.ts'),
    ]);
    const asked = [args.id].flat();
    // `last` is another task once something else is submitted.
    const ids: string[] = [];
    const workflows: string[] = [];
    const { taskOrWorkflow, waitForWorkflow, workflowExit } = await import('../workflow-client.ts');
    for (const text of asked) {
      const path = `/v1/tasks/${encodeURIComponent(text)}`;
      const found = await taskOrWorkflow(client, text, () => client.get<TaskView>(path));
      if ('task' in found) ids.push(found.task.id);
      else workflows.push(found.workflow.id);
    }
    const { renderWorkflowLine } = await import('../output/workflow.ts');
    const waited = workflows.map(async id => {
      const view = await waitForWorkflow(client, id, timeoutMs);
      if (workflowExit(view) !== 5) this.printIds([view.id]);
      this.print(renderWorkflowLine(view, this.screen));
      return view;
    });
    const told = new Set<string>();
    const views = await waitForTasks(client, ids, {
      timeoutMs,
      onView: task => {
        if (!isSettled(task.state) || told.has(task.id)) return;
        told.add(task.id);
        this.printIds([task.id]);
        this.print(renderTaskLine(task, this.screen));
      },
    });
    for (const view of views) {
      if (told.has(view.id) || isSettled(view.state)) continue;
      this.note(`${renderTaskLine(view, this.errorScreen)}  (the wait timed out)`);
      this.note(`  try: tsched wait ${shortId(view.id)} · tsched status ${shortId(view.id)}`);
      break;
    }
    const settled = await Promise.all(waited);
    const exits = [waitExit(views), ...settled.map(workflowExit)];
    this.exitWith([5, 3, 4].find(code => exits.some(exit => exit === code)) ?? 0);
    if (settled.length === 0) return views.length === 1 ? views[0] : { tasks: views };
    return views.length === 0 && settled.length === 1
      ? settled[0]
      : { tasks: views, workflows: settled };
  }
}
