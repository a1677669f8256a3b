/** What `dlq replay` and `dlq purge` share: which dead letters, one request, a line for each. */
import { string as stringArg } from '@oclif/core/args';
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from './base-command.ts';
import { CliError, usageError } from './cli-error.ts';
import { allDeadLetters, changeDeadLetters } from './dead-letters.ts';
import type { BatchResult } from './wire.ts';

export abstract class DeadLetterCommand extends BaseCommand {
  static override args = {
    id: stringArg({ description: 'dead letters', multiple: true, ignoreStdin: true }),
  };
  static override flags = {
    all: boolean({ description: 'every one that --name and --tenant fit' }),
    name: string({
      description: 'with --all: only tasks whose name begins with this',
      helpValue: 'PREFIX',
      dependsOn: ['all'],
    }),
    tenant: string({
      description: 'with --all: only tasks of this tenant',
      helpValue: 'TENANT',
      dependsOn: ['all'],
    }),
  };

  protected abstract readonly verb: 'replay' | 'purge';

  /** What is told of one that was changed. */
  protected abstract done(old: string, result: BatchResult & { readonly ok: true }): string;

  protected async change(command: typeof DeadLetterCommand): Promise<unknown> {
    const { args, flags } = await this.parse(command);
    const named = [args.id ?? []].flat();
    const all = flags.all === true;
    if (all === named.length > 0) {
      throw usageError(
        all ? 'either IDs or --all' : `says no dead letter to ${this.verb}`,
        `Give IDs from \`tsched dlq list\`, or --all.`,
      );
    }
    const client = await this.connect(flags);
    const { name, tenant } = flags;
    const ids = all ? (await allDeadLetters(client, { name, tenant })).map(task => task.id) : named;
    const results = await changeDeadLetters(client, this.verb, ids);
    this.printIds(results.flatMap(result => (result.ok ? [result.id] : [])));
    let failure: CliError | undefined;
    results.forEach((result, position) => {
      const old = ids[position]!;
      if (result.ok) {
        this.print(this.done(old, result));
        return;
      }
      const { retryAfterMs } = result;
      const failed = new CliError(result.code, `${old}: ${result.message}`, { retryAfterMs });
      failure ??= failed;
      if (ids.length > 1) this.report(failed);
    });
    if (failure !== undefined && ids.length === 1) throw failure;
    if (ids.length === 0) this.print('no dead letters');
    if (failure !== undefined) this.exitWith(failure.exit);
    return { results };
  }
}
