/** `tsched template show`: the text of a revision of a template. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TemplateCard } from '../../wire.ts';

export default class TemplateShow extends BaseCommand {
  static override summary = 'Show a template.';
  static override description =
    'Prints what `tsched template update` takes: a revision never changes.\n\n' +
    exitCodeText([0, 1, 2, 6]);
  static override usage = 'template show NAME [flags]';
  static override examples = [
    '<%= config.bin %> template show nightly',
    '<%= config.bin %> template show nightly --revision 2 > nightly.yaml',
  ];
  static override args = {
    name: stringArg({ description: 'name of the template', required: true, ignoreStdin: true }),
  };
  static override flags = {
    revision: string({ description: 'another one than the newest', helpValue: 'N' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TemplateShow);
    const { pathOfTemplate, readRevision } = await import('../../template-file.ts');
    const revision = readRevision('revision', flags.revision);
    const client = await this.connect(flags);
    const query = revision === undefined ? '' : `?revision=${revision}`;
    const template = await client.get<TemplateCard>(`${pathOfTemplate(args.name)}${query}`);
    const { renderTemplate } = await import('../../output/templates.ts');
    this.printIds([`${template.name}@${template.revision}`]);
    this.print(renderTemplate(template, this.screen));
    return template;
  }
}
