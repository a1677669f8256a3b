/** `tsched cancel`: asks that tasks end; a running one is sent SIGTERM, then SIGKILL. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { shortId } from '../../src/model/ids.ts';
import { BaseCommand } from '../base-command.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { exitCodeText } from '../exit-codes.ts';
import { forEach } from '../many.ts';

interface CancelResult {
  readonly ok: boolean;
  readonly id: string;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

export default class Cancel extends BaseCommand {
  static override summary = 'Cancel tasks and workflows.';
  static override description =
    'A waiting task is cancelled at once. A running one is asked to end: SIGTERM to its whole process ' +
    'tree, SIGKILL after its grace; `tsched wait` tells when it has. Of a workflow every task that has ' +
    'not settled is cancelled, and none starts any more. Repeating it is safe.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = 'cancel ID... [flags]';
  static override examples = [
    '<%= config.bin %> cancel 8f3a1c2e',
    '<%= config.bin %> cancel 8f3a1c2e 77b09d41 --reason "wrong input"',
    '<%= config.bin %> cancel $(<%= config.bin %> list -q --state waiting)',
  ];
  static override args = {
    id: stringArg({
      description: 'tasks or workflows',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    reason: string({ description: 'told to whoever asks later', default: '' }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Cancel);
    const asked = [args.id].flat();
    const client = await this.connect(flags);
    const { results, failures, failure } = await forEach(asked, 'cancel', id =>
      cancelOne(client, id, flags.reason),
    );
    if (asked.length === 1 && failure !== undefined) throw failure;
    const told = asked.map((id, position): CancelResult => {
      const failed = failures[position];
      if (failed === undefined) return results[position]!;
      this.report(namedIn(failed, id));
      return { ok: false, id, code: failed.code, message: failed.sentence };
    });
    const cancelled = told.filter(result => result.ok);
    this.printIds(cancelled.map(result => result.id));
    for (const result of cancelled) this.print(`task ${shortId(result.id)} cancel accepted`);
    if (failure !== undefined) this.exitWith(failure.exit);
    return asked.length === 1 ? told[0] : { results: told };
  }
}

/** Of several it has to be said which it is about. */
const namedIn = (error: CliError, id: string): CliError =>
  error.sentence.includes(id)
    ? error
    : new CliError(error.code, `${id}: ${error.sentence}`, { ...error, cause: error });

async function cancelOne(client: Client, id: string, reason: string): Promise<CancelResult> {
  const { cancelWorkflow, taskOrWorkflow } = await import('../workflow-client.ts');
  const found = await taskOrWorkflow(client, id, () => cancelTask(client, id, reason));
  if ('task' in found) return found.task;
  return { ok: true, id: await cancelWorkflow(client, found.workflow.id, reason) };
}

async function cancelTask(client: Client, id: string, reason: string): Promise<CancelResult> {
  const { body } = await client.call<{ ok?: boolean; id?: string } | undefined>({
    method: 'POST',
    path: `/v1/tasks/${encodeURIComponent(id)}/cancel`,
    body: { reason },
    repeatable: true,
    ids: [id],
  });
  if (body?.ok === false) throw new CliError('internal', 'the cancel was refused');
  return { ok: true, id: body?.id ?? id };
}
