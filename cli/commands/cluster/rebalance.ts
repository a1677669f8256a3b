/** `tsched cluster rebalance`: which replicas are to move, and waiting until they have. */
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { CliError, usageError } from '../../cli-error.ts';
import type { Client } from '../../client.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readDuration } from '../../input/values.ts';
import type { MovesRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

const timeoutDefaultMs = 600_000;
const pollPauseMs = 300;

export default class ClusterRebalance extends BaseCommand {
  static override summary = 'Show which replicas are to move, and wait until they have.';
  static override description =
    'Where replicas should be follows from the nodes there are, and the leaders of the shards move ' +
    'them by themselves. This prints what is left of that and waits for it; with --dry-run it only ' +
    `prints, and with --without as if that node were drained.\n\n${exitCodeText([0, 1, 2, 5, 6])}`;
  static override usage = 'cluster rebalance [flags]';
  static override examples = [
    '<%= config.bin %> cluster rebalance --dry-run',
    '<%= config.bin %> cluster rebalance --dry-run --without node-b',
  ];
  static override flags = {
    'dry-run': boolean({ description: 'print the moves only' }),
    without: string({
      description: 'with --dry-run: as if this node were drained',
      helpValue: 'ID',
    }),
    timeout: string({ description: 'give up after this; 10m unless given', helpValue: 'DURATION' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ClusterRebalance);
    if (flags.without !== undefined && !flags['dry-run']) {
      throw usageError('--without needs --dry-run', 'To carry it out: `tsched node drain ID`.');
    }
    const timeoutMs = readDuration('timeout', flags.timeout) ?? timeoutDefaultMs;
    const client = await this.connect(flags);
    const moves = await readMoves(client, flags.without);
    const { renderMoves } = await import('../../output/cluster.ts');
    this.printIds(moves.map(({ shard }) => String(shard)));
    this.print(renderMoves(moves, this.screen));
    if (!flags['dry-run'] && moves.length > 0) {
      await this.#wait(client, timeoutMs);
      this.print('done');
    }
    return { moves };
  }

  async #wait(client: Client, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const { length } = await readMoves(client, undefined);
      if (length === 0) return;
      if (performance.now() > deadlineMs) {
        throw new CliError('waitTimeout', `${length} groups still have something to move`, {
          title: 'Not everything was moved in time',
          suggestion: 'It goes on: wait again, or look with `tsched cluster health`.',
        });
      }
      await new Promise(resolve => setTimeout(resolve, pollPauseMs));
    }
  }
}

async function readMoves(
  client: Client,
  without: string | undefined,
): Promise<readonly MovesRow[]> {
  const query = without === undefined ? '' : `?without=${encodeURIComponent(without)}`;
  return listIn<MovesRow>(await client.get<unknown>(`/v1/cluster/moves${query}`), 'moves');
}
