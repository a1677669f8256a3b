/** Filters of listings and exports, as they stand in the query of a request. */
import { limits } from '../model/limits.ts';
import type { JsonSchema } from '../model/spec-fields.ts';
import { consistencies, isSettled, type TaskState, taskStates } from '../model/task.ts';
import type { TaskFilter } from '../ports/history.ts';
import { boundTenant, type Identity } from './access.ts';
import { refuse } from './problem.ts';

export const consistencySchema: JsonSchema = {
  type: 'string',
  enum: [...consistencies],
  description:
    '`linearizable`: confirmed by a majority, or `noQuorum`. `local`: what the nearest replica has, ' +
    'marked stale. Without it: linearizable, and where there is no majority local.',
};

const instant = (description: string): JsonSchema => ({
  type: 'integer',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: `${description} Milliseconds since 1970-01-01 UTC.`,
});

/** A list of some hundred shards still fits. */
export const cursorSchema: JsonSchema = {
  type: 'string',
  maxLength: 12_288,
  description: 'From the page before.',
};

export const filterSchema: Readonly<Record<string, JsonSchema>> = {
  state: {
    type: 'string',
    description: 'States, separated by commas; `settled` and `active` stand for several.',
  },
  tenant: { type: 'string', maxLength: 63, description: 'Of this tenant only.' },
  name: { type: 'string', maxLength: limits.nameBytesMax, description: 'Beginning of the name.' },
  orderKey: { type: 'string', maxLength: limits.keyBytesMax, description: 'With this order key.' },
  label: {
    anyOf: [
      { type: 'string' },
      { type: 'array', items: { type: 'string' }, maxItems: limits.labelsMax },
    ],
    description: 'With this label, `name=value`; given again, with each of them.',
  },
  sinceMs: instant('Submitted then or later.'),
  untilMs: instant('Submitted before.'),
  settledSinceMs: instant('Settled then or later.'),
  settledUntilMs: instant('Settled before.'),
};

export interface FilterQuery
  extends Pick<
    TaskFilter,
    'tenant' | 'orderKey' | 'sinceMs' | 'untilMs' | 'settledSinceMs' | 'settledUntilMs'
  > {
  readonly state?: string;
  readonly name?: string;
  readonly label?: string | readonly string[];
}

/** `running,waiting`; `settled` and `active` stand for several. */
function statesOf(text: string | undefined): readonly TaskState[] | undefined {
  if (text === undefined) return undefined;
  const states = text.split(',').flatMap((word): TaskState[] => {
    if (word === 'settled') return taskStates.filter(isSettled);
    if (word === 'active') return taskStates.filter(state => !isSettled(state));
    const state = taskStates.find(known => known === word);
    if (state !== undefined) return [state];
    const known = `${taskStates.join(', ')}, settled or active`;
    const shown = JSON.stringify(word.slice(0, 40));
    return refuse('badRequest', `Unknown state ${shown}; use ${known}.`, { field: 'state' });
  });
  return [...new Set(states)];
}

function labelsOf(texts: string | readonly string[] | undefined): [string, string][] {
  return [texts ?? []].flat().map(pair => {
    const at = pair.indexOf('=');
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
    const shown = JSON.stringify(pair.slice(0, 40));
    return refuse('badRequest', `A label must be name=value, not ${shown}.`, { field: 'label' });
  });
}

/** What `identity` asks for, of what it may see. */
export function filterOf(query: FilterQuery, identity: Identity): TaskFilter {
  const { tenant, orderKey, sinceMs, untilMs, settledSinceMs, settledUntilMs } = query;
  return {
    states: statesOf(query.state),
    tenant: boundTenant(identity) ?? tenant,
    namePrefix: query.name,
    orderKey,
    labels: labelsOf(query.label),
    sinceMs,
    untilMs,
    settledSinceMs,
    settledUntilMs,
  };
}
