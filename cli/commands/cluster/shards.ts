/** `tsched cluster shards`: the shards with their leaders and replicas. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { NodeRow, ShardRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class ClusterShards extends BaseCommand {
  static override summary = 'List the shards with their leaders and replicas.';
  static override description =
    'Tasks are waiting/running/settled. A node that is down is marked with `!`, a learner with `+`.\n\n' +
    exitCodeText([0, 1, 2, 6]);
  static override usage = 'cluster shards [flags]';
  static override examples = ['<%= config.bin %> cluster shards'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ClusterShards);
    const client = await this.connect(flags);
    const [shardsBody, nodesBody] = await Promise.all([
      client.get<unknown>('/v1/shards'),
      client.get<unknown>('/v1/nodes'),
    ]);
    const shards = listIn<ShardRow>(shardsBody, 'shards');
    const { renderShards } = await import('../../output/cluster.ts');
    this.printIds(shards.map(shard => String(shard.shard)));
    this.print(renderShards(shards, listIn<NodeRow>(nodesBody, 'nodes'), this.screen));
    return { shards };
  }
}
