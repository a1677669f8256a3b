/** `tsched template create`: a template of a new name. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TemplateCard } from '../../wire.ts';

export default class TemplateCreate extends BaseCommand {
  static override summary = 'Make a template from a file.';
  static override description =
    'The file holds `parameters`, from names to types (string, int, number, bool, duration, size, ' +
    'enum) with defaults, and a `task` in which ${name} stands for the value of one. A value is ' +
    'placed, never parsed: a script, a command that is one text, and what stands behind `sh -c` stay ' +
    'as they are; give values to them in `env` or as arguments.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = 'template create NAME -f FILE|- [flags]';
  static override examples = ['<%= config.bin %> template create nightly -f nightly.yaml'];
  static override args = {
    name: stringArg({ description: 'name of the template', required: true, ignoreStdin: true }),
  };
  static override flags = {
    file: string({ char: 'f', description: 'YAML or JSON; - is standard input', required: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TemplateCreate);
    this.begin(flags);
    const { readTemplateFile } = await import('../../template-file.ts');
    const { template, place } = await readTemplateFile(flags.file, args.name);
    const client = await this.connect(flags);
    const { body } = await client.call<TemplateCard>({
      method: 'POST',
      path: '/v1/templates',
      body: { name: args.name, ...template },
      repeatable: true,
      place,
    });
    this.printIds([`${body.name}@${body.revision}`]);
    this.print(`template ${body.name}@${body.revision} made`);
    this.print(`  try: tsched template run ${body.name}`);
    return body;
  }
}
