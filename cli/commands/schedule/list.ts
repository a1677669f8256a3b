/** `tsched schedule list`: the schedules of the cluster. */
import type { ScheduleSummary } from '../../../src/model/schedule.ts';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

interface Page {
  readonly schedules: readonly ScheduleSummary[];
  readonly cursor?: string | undefined;
  readonly missingShards: readonly number[];
}

export default class ScheduleList extends BaseCommand {
  static override summary = 'List schedules.';
  static override description =
    'By name, over all shards. STATE is active, paused, or ended: nothing is to come.\n\n' +
    exitCodeText([0, 1, 2, 6]);
  static override usage = 'schedule list [flags]';
  static override examples = [
    '<%= config.bin %> schedule list',
    '<%= config.bin %> schedule list --json',
  ];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ScheduleList);
    const client = await this.connect(flags);
    const schedules: ScheduleSummary[] = [];
    const missing = new Set<number>();
    for (let after = ''; ; ) {
      const page = await client.get<Page>(`/v1/schedules${after}`);
      schedules.push(...page.schedules);
      for (const shard of page.missingShards) missing.add(shard);
      if (page.cursor === undefined) break;
      after = `?after=${encodeURIComponent(page.cursor)}`;
    }
    const { renderScheduleList } = await import('../../output/schedules.ts');
    this.printIds(schedules.map(({ name }) => name));
    this.print(renderScheduleList(schedules, this.screen));
    if (missing.size > 0) {
      this.note(`warning: shards ${[...missing].join(', ')} did not answer; theirs are missing`);
    }
    return { schedules, missingShards: [...missing] };
  }
}
