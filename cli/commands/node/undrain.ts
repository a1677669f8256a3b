/** `tsched node undrain`: a node that was to leave stays. */
import { string as stringArg } from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { NodeCard } from '../../wire.ts';

export default class NodeUndrain extends BaseCommand {
  static override summary = 'Take the draining of a node back.';
  static override description =
    `It is up again and is given its share of everything.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'node undrain ID [flags]';
  static override examples = ['<%= config.bin %> node undrain node-b'];
  static override args = {
    id: stringArg({ description: 'name or ID of the node', required: true, ignoreStdin: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeUndrain);
    const client = await this.connect(flags);
    const { body: node } = await client.call<NodeCard>({
      method: 'POST',
      path: `/v1/nodes/${encodeURIComponent(args.id)}/undrain`,
      repeatable: true,
    });
    this.printIds([node.id]);
    this.print(`node ${node.name} is ${node.state}`);
    return node;
  }
}
