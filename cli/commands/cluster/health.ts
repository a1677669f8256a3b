/** `tsched cluster health`: whether every shard has its leader and its replicas. */
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { CliError, isCliError } from '../../cli-error.ts';
import type { Client } from '../../client.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readCount, readDuration } from '../../input/values.ts';
import type { ClusterState } from '../../wire.ts';

const waitDefaultMs = 60_000;
const pollPauseMs = 200;

const isWhole = (health: ClusterState, nodes: number | undefined): boolean =>
  health.ok &&
  health.shardsGrowing === 0 &&
  health.shardsWithoutLeader.length === 0 &&
  (nodes === undefined || health.nodesUp >= nodes);

export default class ClusterHealth extends BaseCommand {
  static override summary = 'Tell whether every shard has its leader and its replicas.';
  static override description =
    'With --wait it returns once everything is replicated as it should be.\n\n' +
    `${exitCodeText([0, 1, 2, 5, 6])} 1 where something is wrong, 6 where a shard has no leader.`;
  static override usage = 'cluster health [flags]';
  static override examples = [
    '<%= config.bin %> cluster health',
    '<%= config.bin %> cluster health --wait --nodes 3 --timeout 30s',
  ];
  static override flags = {
    wait: boolean({ description: 'until the cluster is whole' }),
    nodes: string({ description: 'with --wait: and this many nodes are up', helpValue: 'N' }),
    timeout: string({
      description: 'with --wait: give up after this; 60s unless given',
      helpValue: 'DURATION',
    }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ClusterHealth);
    const timeoutMs = readDuration('timeout', flags.timeout) ?? waitDefaultMs;
    const nodes = readCount('nodes', flags.nodes, { min: 1, max: 1_000 });
    const client = await this.connect(flags);
    const health = flags.wait
      ? await this.#wait(client, nodes, timeoutMs)
      : await client.get<ClusterState>('/v1/cluster/health');
    const { renderHealth } = await import('../../output/cluster.ts');
    this.print(renderHealth(health, this.screen));
    if (!health.ok) this.exitWith(health.shardsWithoutLeader.length > 0 ? 6 : 1);
    return health;
  }

  async #wait(client: Client, nodes: number | undefined, timeoutMs: number) {
    const deadlineMs = performance.now() + timeoutMs;
    let last: ClusterState | undefined;
    let failure: CliError | undefined;
    for (;;) {
      try {
        last = await client.get<ClusterState>('/v1/cluster/health');
        failure = undefined;
        if (isWhole(last, nodes)) return last;
      } catch (error) {
        if (!isCliError(error) || error.exit !== 6) throw error;
        failure = error;
      }
      if (performance.now() > deadlineMs) break;
      await new Promise(resolve => setTimeout(resolve, pollPauseMs));
    }
    if (failure !== undefined) throw failure;
    const { renderHealth } = await import('../../output/cluster.ts');
    const { plainScreen } = await import('../../output/screen.ts');
    throw new CliError('waitTimeout', renderHealth(last!, plainScreen(Date.now())), {
      title: 'The cluster did not become whole in time',
      suggestion: 'Wait again, or look with `tsched cluster shards` and `tsched node list`.',
    });
  }
}
