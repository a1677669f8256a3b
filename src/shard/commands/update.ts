/**
 * update: somebody changes what may change of a task after it was submitted. The spec stays as it
 * is; the new values are kept with the task and stand in the place of the spec's. Of a gang all
 * that have not settled are changed, or none: they start together, so they have the same values.
 *
 * Items    tasks; the same values for all of them.
 * Replies  ok
 *          ok, repeated      the task has these values already, by an earlier update
 *          notWaiting        it, or another of its gang, is assigned or runs, and one of the fields
 *                            may change only before
 *          badRequest        it has run as often as it then might, or would be dropped before its
 *                            start bound
 *          alreadySettled, unknownTask
 * Effects  controlled, for each attempt that lives; readyChanged, where one waits in the queue
 *
 * Priority and tolerance change where a task stands, as if it had been submitted with them: its
 * start bound counts from when it counted before. A bound that was missed and lies ahead again may
 * be missed again.
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import { limits } from '../../model/limits.ts';
import {
  joinOverrides,
  overrideFields,
  overrideNames,
  type SpecOverrides,
} from '../../model/spec-overrides.ts';
import { formatDuration } from '../../model/time.ts';
import { stateCode } from '../memory/task-table.ts';
import type { ShardState } from '../state.ts';
import { accept, refuse, refuseMissing, type Turn } from '../turn.ts';

type Update = ShardCommand & { readonly kind: 'update' };

export function applyUpdate(turn: Turn, command: Update): ItemReply[] {
  const { state } = turn;
  const changes = bounded(command.overrides);
  return command.items.map(({ taskId }) => {
    const row = state.lookUp(taskId);
    if (row < 0) return refuseMissing(taskId, row);
    const rows = state.gangs.withIts(row);
    for (const one of rows) {
      const refused = refusal(state, one, changes);
      if (refused !== undefined) return refuse(taskId, refused.code, refused.message);
    }
    const others = rows.filter(
      one => !holdsAlready(state.table.detail(one)?.update?.overrides, changes),
    );
    for (const one of others) change(turn, one, changes);
    return accept(taskId, others.length === 0);
  });
}

function change(turn: Turn, row: number, changes: SpecOverrides): void {
  const { state, actor, effects } = turn;
  const { table } = state;
  const detail = table.ensureDetail(row);
  const overrides = joinOverrides(detail.update?.overrides, changes);
  state.change(row, { by: actor.name, atMs: state.shownInstant(row), overrides });
  const { live } = detail;
  state.note('updated', row, live && { attempt: live.fence, node: live.node });
  if (live !== undefined) {
    effects.push({ kind: 'controlled', taskId: table.id(row), fence: live.fence });
  }
  turn.readyChanged ||= table.state(row) === stateCode.waiting && table.holds(row) === 0;
}

const within = (value: number, min: number, max: number): number =>
  Math.max(min, Math.min(value, max));

/** A number that no document may say becomes the nearest that one may. */
function bounded(changes: SpecOverrides): SpecOverrides {
  const { attempts, toleranceMs } = changes;
  const { attemptsMax, toleranceMsMin, toleranceMsMax } = limits;
  return {
    ...changes,
    ...(attempts === undefined ? {} : { attempts: within(attempts, 1, attemptsMax) }),
    ...(toleranceMs === undefined
      ? {}
      : { toleranceMs: within(toleranceMs, toleranceMsMin, toleranceMsMax) }),
  };
}

function refusal(
  { table, specs, gangs }: ShardState,
  row: number,
  changes: SpecOverrides,
): { readonly code: 'notWaiting' | 'badRequest'; readonly message: string } | undefined {
  const late = overrideNames.find(
    name => changes[name] !== undefined && !overrideFields[name].whileRunning,
  );
  if (late !== undefined && table.state(row) !== stateCode.waiting) {
    const field = overrideFields[late].document;
    const who = gangs.of(row).length === 0 ? 'the task waits' : 'all of its gang wait';
    return { code: 'notWaiting', message: `\`${field}\` may change only while ${who}` };
  }
  const runs = table.runs(row);
  if (changes.attempts !== undefined && changes.attempts <= runs) {
    const message = `it has run ${runs} times already: \`attempts\` must be at least ${runs + 1}`;
    return { code: 'badRequest', message };
  }
  const { expireMs } = specs.traits(table.spec(row));
  if (expireMs === 0 || changes.toleranceMs === undefined || changes.toleranceMs <= expireMs) {
    return undefined;
  }
  const most = formatDuration(expireMs);
  const message = `it expires ${most} after it is ready: \`tolerance\` may be ${most} at most`;
  return { code: 'badRequest', message };
}

function holdsAlready(known: SpecOverrides | undefined, changes: SpecOverrides): boolean {
  if (known === undefined) return false;
  return overrideNames.every(
    name => changes[name] === undefined || same(known[name], changes[name]),
  );
}

/** Of values as `readOverrides` makes them: numbers, texts, and lists or records of those. */
function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || !left || !right) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every(name =>
      same((left as Record<string, unknown>)[name], (right as Record<string, unknown>)[name]),
    )
  );
}
