/** `tsched cluster settings`: what holds for the whole cluster, and changing it. */
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { SettingRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

const path = '/v1/cluster/settings';

export default class ClusterSettings extends BaseCommand {
  static override summary = 'Show the settings of the cluster, or change them.';
  static override description =
    'They hold for all nodes, and are changed while these run. NAME= brings the default back. ' +
    `Changing needs an admin token.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'cluster settings [NAME=VALUE...] [flags]';
  static override examples = [
    '<%= config.bin %> cluster settings',
    '<%= config.bin %> cluster settings history.maxAge=3d history.maxCount=200000',
  ];
  static override strict = false;

  override async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(ClusterSettings);
    const values = readValues(argv as string[]);
    const client = await this.connect(flags);
    const body =
      values === undefined
        ? await client.get<unknown>(path)
        : (await client.call<unknown>({ method: 'POST', path, body: values, repeatable: true }))
            .body;
    const settings = listIn<SettingRow>(body, 'settings');
    const { renderSettings } = await import('../../output/settings.ts');
    this.printIds(settings.map(({ name, value }) => `${name}=${value}`));
    this.print(renderSettings(settings, this.screen));
    return { settings };
  }
}

function readValues(words: readonly string[]): Record<string, string> | undefined {
  if (words.length === 0) return undefined;
  const values: Record<string, string> = {};
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) {
      throw usageError(`"${word}" is not NAME=VALUE`, 'Names: `tsched cluster settings`.');
    }
    values[word.slice(0, at)] = word.slice(at + 1);
  }
  return values;
}
