/** `tsched template run`: submits the task that a template makes. */
import { string } from '@oclif/core/flags';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { FlagOf } from '../../input/places.ts';
import { flagOfPointer } from '../../input/spec-flags.ts';
import { readRevision } from '../../template-file.ts';
import Submit from '../submit.ts';

const { file: _file, template: _template, ...submitFlags } = Submit.flags;

export default class TemplateRun extends Submit {
  static override summary = 'Submit the task that a template makes.';
  static override description =
    'The same as `tsched submit --template NAME`: --set gives values to parameters, other flags stand ' +
    'over what the template says, and the task tells the revision it was made from.\n\n' +
    exitCodeText([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  static override usage = ['template run NAME [--set K=V]... [flags]'];
  static override examples = [
    '<%= config.bin %> template run nightly --set day=2024-07-31',
    '<%= config.bin %> template run nightly --revision 2 --set day=2024-07-31 --wait',
  ];
  // Said again: oclif reads the statics of the class itself alone.
  static override strict = false;
  static override flags = {
    ...submitFlags,
    revision: string({ description: 'another one than the newest', helpValue: 'N' }),
  } as unknown as typeof Submit.flags;

  protected override readonly flagOf: FlagOf = pointer =>
    pointer === '/template' ? 'NAME' : flagOfPointer(pointer);

  override async run(): Promise<unknown> {
    const { raw, flags } = await this.parse(TemplateRun);
    const [name, ...others] = raw.flatMap(token => (token.type === 'arg' ? [token.input] : []));
    if (name === undefined || others.length > 0) {
      throw usageError('give the name of one template', 'tsched template run NAME --set K=V');
    }
    const given = (flags as { readonly revision?: string }).revision;
    const revision = readRevision('revision', given);
    const use = revision === undefined ? name : `${name}@${revision}`;
    this.argv = ['--template', use, ...withoutOwn(this.argv, name)];
    return super.run();
  }
}

/** The flags that `submit` takes too: neither the name nor `--revision`. */
function withoutOwn(argv: readonly string[], name: string): string[] {
  const left = argv.filter(word => !word.startsWith('--revision='));
  const revision = left.indexOf('--revision');
  if (revision >= 0) left.splice(revision, 2);
  left.splice(left.indexOf(name), 1);
  return left;
}
