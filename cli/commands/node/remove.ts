/** `tsched node remove`: a drained or dead node leaves for good. */
import { string as stringArg } from '@oclif/core/args';
import { boolean } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { NodeCard } from '../../wire.ts';

export default class NodeRemove extends BaseCommand {
  static override summary = 'Remove a drained or dead node for good.';
  static override description =
    'Its process ends if it runs, it can never return, and its name may be taken by another. A node ' +
    'that is up has to be drained first. --force removes a dead node also where nobody can replace ' +
    'it, so that shards are left with fewer voters, and a drained one without waiting for its last ' +
    `attempts.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'node remove ID [flags]';
  static override examples = ['<%= config.bin %> node remove node-b'];
  static override args = {
    id: stringArg({ description: 'name or ID of the node', required: true, ignoreStdin: true }),
  };
  static override flags = {
    force: boolean({ description: 'also where that costs replicas or attempts' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeRemove);
    const client = await this.connect(flags);
    const { body: node } = await client.call<NodeCard>({
      method: 'POST',
      path: `/v1/nodes/${encodeURIComponent(args.id)}/remove`,
      body: { force: flags.force },
      repeatable: true,
    });
    this.printIds([node.id]);
    this.print(`node ${node.name} is ${node.state}`);
    return node;
  }
}
