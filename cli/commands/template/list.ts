/** `tsched template list`: the newest revision of each template. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TemplateRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class TemplateList extends BaseCommand {
  static override summary = 'List templates.';
  static override description = `An administrator sees those of all tenants.\n\n${exitCodeText([
    0, 1, 2, 6,
  ])}`;
  static override usage = 'template list [flags]';
  static override examples = ['<%= config.bin %> template list'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(TemplateList);
    const client = await this.connect(flags);
    const templates = listIn<TemplateRow>(await client.get<unknown>('/v1/templates'), 'templates');
    const { renderTemplates } = await import('../../output/templates.ts');
    this.printIds(templates.map(({ name }) => name));
    this.print(renderTemplates(templates, this.screen));
    return { templates };
  }
}
