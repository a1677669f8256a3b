/** `tsched node drain`: takes everything away from a node before it leaves. */
import { string as stringArg } from '@oclif/core/args';
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { CliError, usageError } from '../../cli-error.ts';
import type { Client } from '../../client.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readDuration } from '../../input/values.ts';
import type { NodeCard } from '../../wire.ts';

const timeoutDefaultMs = 600_000;
const pollPauseMs = 300;

export default class NodeDrain extends BaseCommand {
  static override summary = 'Drain a node: leaderships, replicas and work go elsewhere.';
  static override description =
    'Leaderships go first, then replicas: each is added elsewhere before it is removed here. No new ' +
    'attempt is placed there; running ones finish, or are ended at --deadline and run elsewhere. ' +
    'It is refused where shards would be left with fewer voters: add a node first, or say --force. ' +
    'A drained node can be stopped, or removed for good with `tsched node remove`.\n\n' +
    exitCodeText([0, 1, 2, 5, 6, 8]);
  static override usage = 'node drain ID|--self [flags]';
  static override examples = [
    '<%= config.bin %> node drain node-b --wait',
    '<%= config.bin %> node drain --self --addr 127.0.0.1:7071 --deadline 10m --wait',
  ];
  static override args = {
    id: stringArg({ description: 'name or ID of the node', ignoreStdin: true }),
  };
  static override flags = {
    self: boolean({ description: 'the node at --addr' }),
    deadline: string({
      description: 'end what still runs after this; without it, running attempts finish',
      helpValue: 'DURATION',
    }),
    force: boolean({ description: 'also where shards are left with fewer voters' }),
    wait: boolean({ description: 'until nothing is left on the node' }),
    timeout: string({
      description: 'with --wait: give up after this; 10m unless given',
      helpValue: 'DURATION',
    }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeDrain);
    if ((args.id === undefined) !== (flags.self === true)) {
      throw usageError('name one node to drain, or say --self');
    }
    readDuration('deadline', flags.deadline);
    const timeoutMs = readDuration('timeout', flags.timeout) ?? timeoutDefaultMs;
    let client = await this.connect(flags);
    if (flags.self) client = client.at(client.addresses[0]!);
    const { body } = await client.call<NodeCard>({
      method: 'POST',
      path: `/v1/nodes/${encodeURIComponent(args.id ?? 'self')}/drain`,
      body: {
        force: flags.force,
        ...(flags.deadline === undefined ? {} : { deadline: flags.deadline }),
      },
      repeatable: true,
    });
    const node = flags.wait ? await this.#wait(client, body, timeoutMs) : body;
    const { drainText } = await import('../../output/nodes.ts');
    this.printIds([node.id]);
    this.print(
      `node ${node.name} ${node.drain === undefined ? node.state : drainText(node.drain)}`,
    );
    return node;
  }

  async #wait(client: Client, begun: NodeCard, timeoutMs: number): Promise<NodeCard> {
    const deadlineMs = performance.now() + timeoutMs;
    const { drainText } = await import('../../output/nodes.ts');
    let told = '';
    for (;;) {
      const node = await client.get<NodeCard>(`/v1/nodes/${encodeURIComponent(begun.id)}`);
      if (node.drain === undefined) {
        throw new CliError('badRequest', `node ${node.name} is ${node.state}: the drain was ended`);
      }
      if (node.drain.drained) return node;
      const progress = drainText(node.drain);
      if (progress !== told && !this.jsonEnabled()) this.note(`node ${node.name}: ${progress}`);
      told = progress;
      if (performance.now() > deadlineMs) {
        throw new CliError('waitTimeout', `node ${node.name}: ${progress}`, {
          title: 'The node was not drained in time',
          suggestion: 'It goes on: wait again, or look with `tsched node show`.',
        });
      }
      await new Promise(resolve => setTimeout(resolve, pollPauseMs));
    }
  }
}
