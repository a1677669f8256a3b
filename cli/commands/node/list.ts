/** `tsched node list`: the nodes of the cluster with what they have free. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { NodeRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class NodeList extends BaseCommand {
  static override summary = 'List the nodes of the cluster.';
  static override description =
    'Free amounts are from the newest advertisement of each node; HEARD is its age. The node that ' +
    `answers is marked with *.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'node list [flags]';
  static override examples = ['<%= config.bin %> node list'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeList);
    const client = await this.connect(flags);
    const nodes = listIn<NodeRow>(await client.get<unknown>('/v1/nodes'), 'nodes');
    const { renderNodeList } = await import('../../output/nodes.ts');
    this.printIds(nodes.map(node => node.id));
    this.print(renderNodeList(nodes, this.screen));
    return { nodes };
  }
}
