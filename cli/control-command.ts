/** What `pause`, `resume` and `update` share: one request for each of what they name. */
import { shortId } from '../src/model/ids.ts';
import { BaseCommand } from './base-command.ts';
import { isCliError } from './cli-error.ts';
import type { Client } from './client.ts';
import type { Chosen } from './control-targets.ts';
import { forEach } from './many.ts';

type Answer = { readonly id?: string; readonly repeated?: boolean } | undefined;

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
    const post = async (path: string, name: string): Promise<Answer> => {
      const asked = { method: 'POST', path: `${path}/${verb}`, body, repeatable: true } as const;
      return (await client.call<Answer>({ ...asked, ids: [name] })).body;
    };
    const words = targets.map(({ word }) => word);
    const { results, failures, failure } = await forEach(targets, verb, async target => {
      const { name, path, orWorkflow } = target;
      const answer = await post(path, name).catch(async (error: unknown) => {
        const isUnknown = isCliError(error) && error.code === 'unknownTask';
        if (!isUnknown || orWorkflow === undefined) throw error;
        const found = await post(orWorkflow, name).catch((other: unknown) => {
          throw isCliError(other) && other.code === 'unknownWorkflow' ? error : other;
        });
        words[targets.indexOf(target)] = 'workflow';
        return found;
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
    this.printIds(told.flatMap(({ ok, id }) => (ok ? [id] : [])));
    for (const [position, { ok, id, repeated }] of told.entries()) {
      if (!ok) continue;
      const word = words[position]!;
      const named = word === 'task' || word === 'workflow' ? shortId(id) : id;
      const shown = word === id ? word : `${word} ${named}`;
      this.print(`${shown} ${verb} accepted${repeated ? ', it was so before' : ''}`);
    }
    if (failure !== undefined) this.exitWith(failure.exit);
    return targets.length === 1 ? told[0] : { results: told };
  }
}
