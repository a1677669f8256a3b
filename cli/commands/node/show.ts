/** `tsched node show`: one node, with the isolation it uses. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { NodeCard } from '../../wire.ts';

export default class NodeShow extends BaseCommand {
  static override summary = 'Show a node: amounts, shards, addresses, isolation.';
  static override description = exitCodeText([0, 1, 2, 6]);
  static override usage = 'node show ID [flags]';
  static override examples = ['<%= config.bin %> node show node-a'];
  static override args = {
    id: stringArg({ description: 'name or ID of the node', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeShow);
    const client = await this.connect(flags);
    const node = await client.get<NodeCard>(`/v1/nodes/${encodeURIComponent(args.id)}`);
    const { renderNode } = await import('../../output/nodes.ts');
    this.printIds([node.id]);
    this.print(renderNode(node, this.screen));
    return node;
  }
}
