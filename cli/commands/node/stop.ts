/** `tsched node stop`: ends a node in order. */
import { string as stringArg } from '@oclif/core/args';
import { boolean } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { toBaseUrl } from '../../profile.ts';
import type { NodeCard } from '../../wire.ts';

export default class NodeStop extends BaseCommand {
  static override summary = 'Stop a node in order: leaderships move away first.';
  static override description =
    'Without a name the node at --addr stops. Its running tasks go on under its supervisor and are ' +
    'taken up again when it returns in time; with --end-tasks they are ended and run elsewhere.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = 'node stop [ID] [flags]';
  static override examples = [
    '<%= config.bin %> node stop --addr 127.0.0.1:7071',
    '<%= config.bin %> node stop node-b --end-tasks',
  ];
  static override args = {
    id: stringArg({ description: 'name or ID; the node at --addr without one', ignoreStdin: true }),
  };
  static override flags = {
    'end-tasks': boolean({ description: 'end its running tasks too' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeStop);
    let client = await this.connect(flags);
    let name = client.addresses[0]!.host;
    if (args.id === undefined) client = client.at(client.addresses[0]!);
    else {
      const node = await client.get<NodeCard>(`/v1/nodes/${encodeURIComponent(args.id)}`);
      client = client.at(toBaseUrl(node.httpAddress));
      name = node.name;
    }
    await client.call({
      method: 'POST',
      path: '/v1/nodes/self/stop',
      body: { endTasks: flags['end-tasks'] },
      repeatable: true,
    });
    this.printIds([name]);
    this.print(`node ${name} stops`);
    return { node: name, stopping: true };
  }
}
