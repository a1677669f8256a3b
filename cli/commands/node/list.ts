/** `tsched node list`: the nodes of the cluster with what they have free. */
import { boolean } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { NodeRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class NodeList extends BaseCommand {
  static override summary = 'List the nodes of the cluster.';
  static override description =
    'Free amounts are from the newest advertisement of each node; HEARD is its age. The node that ' +
    'answers is marked with *. STATE is up, joining, suspected (it cannot be reached), draining with ' +
    `what is left, drained, dead (replaced by others) or removed.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'node list [flags]';
  static override examples = ['<%= config.bin %> node list'];

  static override flags = {
    all: boolean({ description: 'those that were removed, too' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeList);
    const client = await this.connect(flags);
    const path = flags.all ? '/v1/nodes?all=true' : '/v1/nodes';
    const nodes = listIn<NodeRow>(await client.get<unknown>(path), 'nodes');
    const { renderNodeList } = await import('../../output/nodes.ts');
    this.printIds(nodes.map(node => node.id));
    this.print(renderNodeList(nodes, this.screen));
    return { nodes };
  }
}
