/** Flags that say which tasks are meant, for `list` and `export`. */
import { string } from '@oclif/core/flags';
import { isSettled, type TaskState, taskStates } from '../../src/model/task.ts';
import { parseDuration } from '../../src/model/time.ts';
import { usageError } from '../cli-error.ts';
import { readPairs } from './values.ts';

/** Words that stand for several states. */
const groups: Readonly<Record<string, readonly TaskState[]>> = {
  active: taskStates.filter(state => !isSettled(state)),
  settled: taskStates.filter(state => isSettled(state)),
};

export const filterFlags = {
  name: string({ description: 'only tasks whose name begins with this', helpValue: 'PREFIX' }),
  tenant: string({ description: 'only tasks of this tenant', helpValue: 'NAME' }),
  label: string({
    description: 'only tasks with this label; repeated: with each of them',
    helpValue: 'NAME=VALUE',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'order-key': string({ description: 'only tasks with this order key', helpValue: 'KEY' }),
};

export interface FilterFlags {
  readonly name?: string | undefined;
  readonly tenant?: string | undefined;
  readonly label?: readonly string[] | undefined;
  readonly 'order-key'?: string | undefined;
}

export function readStates(texts: readonly string[] | undefined): readonly TaskState[] {
  const states = new Set<TaskState>();
  for (const word of (texts ?? []).flatMap(text => text.split(','))) {
    const name = word.trim();
    const group = Object.hasOwn(groups, name) ? groups[name]! : undefined;
    const state = taskStates.find(known => known === name);
    if (group === undefined && state === undefined) {
      throw usageError(
        `--state ${name} is not a state`,
        `States are ${taskStates.join(', ')}; active and settled stand for several.`,
      );
    }
    for (const each of group ?? [state!]) states.add(each);
  }
  return [...states];
}

/** An instant: so long ago, or a date with or without a time, in UTC where it names no zone. */
export function readInstant(
  flag: string,
  text: string | undefined,
  nowMs: number,
): number | undefined {
  if (text === undefined) return undefined;
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return Math.max(0, nowMs - agoMs);
  const isDate = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)?)?$/i;
  const zoned = /T.*(Z|[+-]\d\d:?\d\d)$/i.test(text.replace(' ', 'T')) || text.length === 10;
  const atMs = isDate.test(text) ? Date.parse(zoned ? text : `${text}Z`) : Number.NaN;
  if (Number.isFinite(atMs) && atMs >= 0) return atMs;
  throw usageError(
    `--${flag} ${text} is neither a time nor a duration`,
    'Write 7d for seven days ago, or 2027-01-31, or 2027-01-31T09:30:00Z.',
  );
}

/** The filter as the API takes it. */
export function queryOfFilter(flags: FilterFlags, states: readonly TaskState[]): URLSearchParams {
  const query = new URLSearchParams();
  if (states.length > 0) query.set('state', states.join(','));
  if (flags.name !== undefined) query.set('name', flags.name);
  if (flags.tenant !== undefined) query.set('tenant', flags.tenant);
  if (flags['order-key'] !== undefined) query.set('orderKey', flags['order-key']);
  for (const pair of readPairs('label', flags.label)) query.append('label', pair.join('='));
  return query;
}
