/** `tsched status`: one task with its attempts, or the cluster in a few lines. */
import { string as stringArg } from '@oclif/core/args';
import type { TaskView } from '../../src/model/task.ts';
import { BaseCommand } from '../base-command.ts';
import { usageError } from '../cli-error.ts';
import { exitCodeText } from '../exit-codes.ts';
import { consistencyFlag, readConsistency } from '../input/consistency.ts';
import type { ClusterState, NodeRow, ShardRow } from '../wire.ts';
import { listIn } from '../wire-lists.ts';

export default class Status extends BaseCommand {
  static override summary =
    'Show a task with its attempts, the graph of a workflow, or the cluster in a few lines.';
  static override description =
    'ID is the whole ID of a task or workflow, its last characters (at least 4), or `last`, which ' +
    'is a task. With --json the task is printed ' +
    'as the API gives it: state, reason, outcome, attempts. Without a majority it shows what a replica ' +
    'has, and says so: a line on standard error, `stale` and `staleMs` in the JSON.\n\n' +
    `${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'status [ID] [flags]';
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status last',
    '<%= config.bin %> status 8f3a1c2e --json',
  ];
  static override flags = { consistency: consistencyFlag };
  static override args = {
    id: stringArg({ description: 'task or workflow; the cluster without one', ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Status);
    const consistency = readConsistency(flags.consistency);
    if (consistency !== undefined && args.id === undefined) {
      throw usageError('--consistency is of a task', 'Give the ID of one.');
    }
    const client = await this.connect(flags);
    if (args.id !== undefined) {
      const query = consistency === undefined ? '' : `?consistency=${consistency}`;
      const id = args.id;
      const { getWorkflow, taskOrWorkflow } = await import('../workflow-client.ts');
      const path = `/v1/tasks/${encodeURIComponent(id)}${query}`;
      const found = await taskOrWorkflow(client, id, () => client.get<TaskView>(path));
      if ('workflow' in found) {
        const view = query === '' ? found.workflow : await getWorkflow(client, id, query);
        const { renderWorkflow } = await import('../output/workflow.ts');
        this.printIds([view.id]);
        this.print(renderWorkflow(view, this.screen));
        return view;
      }
      const { task } = found;
      const { renderTask, staleWarning } = await import('../output/task.ts');
      this.printIds([task.id]);
      this.print(renderTask(task, this.screen));
      if (task.stale) this.note(staleWarning(task));
      return task;
    }
    const [health, nodesBody, shardsBody] = await Promise.all([
      client.get<ClusterState>('/v1/cluster/health'),
      client.get<unknown>('/v1/nodes'),
      client.get<unknown>('/v1/shards'),
    ]);
    const nodes = listIn<NodeRow>(nodesBody, 'nodes');
    const shards = listIn<ShardRow>(shardsBody, 'shards');
    const { renderOverview } = await import('../output/cluster.ts');
    this.printIds(nodes.map(node => node.name));
    this.print(renderOverview(health, nodes, shards, this.screen));
    return { health, nodes, shards };
  }
}
