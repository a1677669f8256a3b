/** `tsched template update`: a new revision of a template. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TemplateCard } from '../../wire.ts';

export default class TemplateUpdate extends BaseCommand {
  static override summary = 'Give a template a new revision.';
  static override description =
    'Earlier revisions stay as they are: tasks and schedules that name one go on with it. With ' +
    '--if-revision it is refused where somebody else has changed the template meanwhile.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = 'template update NAME -f FILE|- [flags]';
  static override examples = [
    '<%= config.bin %> template update nightly -f nightly.yaml',
    '<%= config.bin %> template update nightly -f nightly.yaml --if-revision 3',
  ];
  static override args = {
    name: stringArg({ description: 'name of the template', required: true, ignoreStdin: true }),
  };
  static override flags = {
    file: string({ char: 'f', description: 'YAML or JSON; - is standard input', required: true }),
    'if-revision': string({
      description: 'only where this is the newest one still',
      helpValue: 'N',
    }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TemplateUpdate);
    this.begin(flags);
    const { pathOfTemplate, readRevision, readTemplateFile } = await import(
      '../../template-file.ts'
    );
    const expectedRevision = readRevision('if-revision', flags['if-revision']);
    const { template, place } = await readTemplateFile(flags.file, args.name);
    const client = await this.connect(flags);
    const { body } = await client.call<TemplateCard>({
      method: 'POST',
      path: pathOfTemplate(args.name),
      body: { ...template, expectedRevision },
      repeatable: true,
      place,
    });
    this.printIds([`${body.name}@${body.revision}`]);
    this.print(`template ${body.name}@${body.revision} is the newest revision`);
    return body;
  }
}
