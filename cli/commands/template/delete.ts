/** `tsched template delete`: a template goes, or one of its revisions. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';

export default class TemplateDelete extends BaseCommand {
  static override summary = 'Delete a template, or one revision of it.';
  static override description =
    'Tasks that were made from it stay as they are. A later template of the name goes on counting, ' +
    'so that NAME@REVISION never means two texts.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = 'template delete NAME [flags]';
  static override examples = [
    '<%= config.bin %> template delete nightly',
    '<%= config.bin %> template delete nightly --revision 2',
  ];
  static override args = {
    name: stringArg({ description: 'name of the template', required: true, ignoreStdin: true }),
  };
  static override flags = {
    revision: string({ description: 'only this one, which is not the newest', helpValue: 'N' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TemplateDelete);
    const { pathOfTemplate, readRevision } = await import('../../template-file.ts');
    const revision = readRevision('revision', flags.revision);
    const client = await this.connect(flags);
    const { body } = await client.call<{ readonly repeated?: boolean }>({
      method: 'POST',
      path: `${pathOfTemplate(args.name)}/delete`,
      body: { revision },
      repeatable: true,
    });
    const what = revision === undefined ? args.name : `${args.name}@${revision}`;
    this.printIds([what]);
    const repeated = body.repeated === true;
    this.print(repeated ? `there was no template ${what}` : `template ${what} deleted`);
    return { name: args.name, revision, repeated };
  }
}
