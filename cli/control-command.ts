/** What `pause`, `resume` and `update` share: one request for each of what they name. */
import { shortId } from '../src/model/ids.ts';
import { BaseCommand } from './base-command.ts';
import type { Client } from './client.ts';
import type { Chosen } from './control-targets.ts';
import { forEach } from './many.ts';

export interface ControlResult {
  readonly ok: boolean;
  readonly id: string;
  readonly repeated?: boolean | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

export abstract class ControlCommand extends BaseCommand {
  /** Posts `body` to the `verb` of each target and tells what became of it. */
  protected async controlAll(
    client: Client,
    verb: string,
    targets: readonly Chosen[],
    body: unknown,
  ): Promise<unknown> {
    const { results, failures, failure } = await forEach(targets, verb, async ({ name, path }) => {
      const { body: answer } = await client.call<{ id?: string; repeated?: boolean } | undefined>({
        method: 'POST',
        path: `${path}/${verb}`,
        body,
        repeatable: true,
        ids: [name],
      });
      return { ok: true, id: answer?.id ?? name, repeated: answer?.repeated ?? false };
    });
    if (targets.length === 1 && failure !== undefined) throw failure;
    const told = targets.map(({ name }, position): ControlResult => {
      const failed = failures[position];
      if (failed === undefined) return results[position]!;
      this.report(failed);
      return { ok: false, id: name, code: failed.code, message: failed.sentence };
    });
    const done = told.filter(({ ok }) => ok);
    this.printIds(done.map(({ id }) => id));
    for (const { id, repeated } of done) {
      const { word } = targets[0]!;
      const named = word === 'task' || word === 'workflow' ? shortId(id) : id;
      const shown = word === id ? word : `${word} ${named}`;
      this.print(`${shown} ${verb} accepted${repeated ? ', it was so before' : ''}`);
    }
    if (failure !== undefined) this.exitWith(failure.exit);
    return targets.length === 1 ? told[0] : { results: told };
  }
}
