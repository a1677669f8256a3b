/** `tsched logs`: the output of a task, from whichever node holds it. */
import { string as stringArg } from '@oclif/core/args';
import { boolean, string } from '@oclif/core/flags';
import { limits } from '../../src/model/limits.ts';
import { BaseCommand } from '../base-command.ts';
import { usageError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { exitCodeText } from '../exit-codes.ts';
import { readCount } from '../input/values.ts';
import type { LogSink } from '../log-stream.ts';

/** Fence numbers grow with every assignment, lost ones included. */
const attemptMax = limits.attemptsMax * 1_000;

export default class Logs extends BaseCommand {
  static override summary = 'Print the output of a task, or follow it.';
  static override description =
    'The bytes are printed as the task wrote them. With -f the output goes on over lost connections ' +
    'and from one attempt to the next, until the task has settled; the exit code does not tell how ' +
    `(see \`wait\`).\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'logs ID [flags]';
  static override examples = [
    '<%= config.bin %> logs 8f3a1c2e',
    '<%= config.bin %> logs last -f',
    '<%= config.bin %> logs 8f3a1c2e --attempt 2 --stderr',
  ];
  static override args = {
    id: stringArg({ description: 'task', required: true, ignoreStdin: true }),
  };
  static override flags = {
    follow: boolean({ char: 'f', description: 'go on until the task has settled' }),
    attempt: string({
      description: 'an attempt by its number; the newest that started unless given',
      helpValue: 'N',
    }),
    stderr: boolean({ description: 'standard error in place of standard output' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Logs);
    const attempt = readCount('attempt', flags.attempt, { min: 1, max: attemptMax });
    if (flags.follow && this.jsonEnabled())
      throw usageError('--follow and --json exclude each other');
    const client = await this.connect(flags);
    const { onlyTask } = await import('../workflow-client.ts');
    return await onlyTask(client, args.id, () => this.#print(client, args.id, flags, attempt));
  }

  async #print(
    client: Client,
    text: string,
    flags: { readonly follow: boolean; readonly stderr: boolean },
    attempt: number | undefined,
  ): Promise<unknown> {
    const [{ followOutput, readOutput }, { wholeId }] = await Promise.all([
      import('../log-stream.ts'),
      import('../waiting.ts'),
    ]);
    const id = await wholeId(client, text);
    const stream = flags.stderr ? 'stderr' : 'stdout';
    const options = { id, stream, attempt } as const;
    if (this.jsonEnabled()) {
      const chunks: Buffer[] = [];
      const end = await readOutput(client, options, {
        write: async chunk => {
          chunks.push(chunk);
        },
      });
      const { attempt: read, offset: size, ended } = end;
      const output = Buffer.concat(chunks).toString('utf8');
      return { id, attempt: read, stream, size, ended, text: output };
    }
    const sink: LogSink = { write: writeOut, note: text => this.note(text) };
    // A reader that went away (`| head`) has seen what it wanted.
    process.stdout.once('error', () => process.exit(0));
    await (flags.follow ? followOutput(client, options, sink) : readOutput(client, options, sink));
    return undefined;
  }
}

function writeOut(chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, error => (error ? reject(error) : resolve()));
  });
}
