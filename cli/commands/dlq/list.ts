/** `tsched dlq list`: tasks that failed and wait for somebody to deal with them. */
import { boolean, string } from '@oclif/core/flags';
import type { TaskSummary } from '../../../src/model/task.ts';
import { BaseCommand } from '../../base-command.ts';
import { deadLetterPages } from '../../dead-letters.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readCount } from '../../input/values.ts';

const limitDefault = 50;

export default class DlqList extends BaseCommand {
  static override summary = 'List dead letters, newest first.';
  static override description =
    'A task that failed for good is a dead letter until it is replayed or purged, or leaves the ' +
    'history. WHY is how its last attempt ended, or why it was given up.\n\n' +
    exitCodeText([0, 1, 2, 6]);
  static override usage = 'dlq list [flags]';
  static override examples = [
    '<%= config.bin %> dlq list',
    '<%= config.bin %> dlq list --name nightly --all',
    '<%= config.bin %> dlq list -q',
  ];
  static override flags = {
    name: string({ description: 'only tasks whose name begins with this', helpValue: 'PREFIX' }),
    tenant: string({ description: 'only tasks of this tenant', helpValue: 'TENANT' }),
    limit: string({
      description: `at most this many; ${limitDefault} unless given`,
      helpValue: 'N',
    }),
    cursor: string({
      description: 'go on behind a page: the `cursor` of its JSON',
      helpValue: 'CURSOR',
    }),
    all: boolean({ description: 'every page', exclusive: ['limit'] }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(DlqList);
    const limit =
      readCount('limit', flags.limit, { min: 1, max: 1_000_000 }) ??
      (flags.all ? Number.POSITIVE_INFINITY : limitDefault);
    const client = await this.connect(flags);
    const { name, tenant } = flags;
    const tasks: TaskSummary[] = [];
    const missing = new Set<number>();
    let { cursor } = flags;
    for await (const page of deadLetterPages(client, { name, tenant, cursor }, limit)) {
      tasks.push(...page.tasks);
      for (const shard of page.missingShards) missing.add(shard);
      cursor = page.cursor;
    }
    this.printIds(tasks.map(task => task.id));
    const { renderDeadLetters } = await import('../../output/dead-letters.ts');
    this.print(renderDeadLetters(tasks, this.screen));
    if (cursor !== undefined && process.stdout.isTTY) this.print('  and more; --limit N or --all');
    const missingShards = [...missing].sort((left, right) => left - right);
    if (missingShards.length > 0) {
      this.note(
        `warning: dead letters of shards ${missingShards.join(', ')} are missing: no answer`,
      );
    }
    return { tasks, cursor, missingShards };
  }
}
