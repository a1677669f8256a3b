/**
 * The document that asks for a reservation, the same for HTTP and CLI, read with all its problems
 * at once. Nodes are named as people name them; who they are is looked up later.
 */
import { limits } from '../model/limits.ts';
import type { ReservationAsk } from '../model/reservation.ts';
import { noResources, type ResourceName, type Resources, tiers } from '../model/resources.ts';
import { amountReaders } from '../model/spec-field-readers.ts';
import { closestName, type JsonSchema, specFields } from '../model/spec-fields.ts';
import {
  describeValue,
  ProblemList,
  pointerStep,
  readCount,
  readDuration,
  readPairMap,
  readText,
  readTextList,
  type SpecProblem,
} from '../model/spec-reading.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const datePattern = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/;

const text = { type: 'string', maxLength: limits.nameBytesMax };

export const reservationFields: Readonly<Record<string, JsonSchema>> = {
  name: { ...text, description: 'What tasks ask for it by.', examples: ['nightly'] },
  tenant: { ...text, description: "Whose tasks may use it; the token's tenant unless given." },
  until: { ...text, description: 'When it ends: 2027-03-01, or 2027-03-01T06:00Z.' },
  for: { anyOf: [text, { type: 'number' }], description: 'In place of `until`: 7d, 12h.' },
  nodes: { type: 'array', items: text, description: 'Names or IDs of nodes it is held on.' },
  count: {
    type: 'integer',
    minimum: 1,
    maximum: limits.reservationNodesMax,
    description: 'In place of `nodes`: on so many nodes that fit. 1 unless given.',
  },
  tier: { enum: tiers, description: 'Least tier of a node that fits.' },
  require: { ...specFields.require, description: 'Labels that a node must have to fit.' },
  ...Object.fromEntries(
    (Object.keys(amountReaders) as (keyof typeof amountReaders)[]).map(name => {
      const { description: _, ...schema } = specFields[name];
      return [name, { ...schema, description: `Held on each node: ${name}.` }];
    }),
  ),
};

export type ReservationReading =
  | { readonly ok: true; readonly ask: ReservationAsk }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

export function readReservationDocument(
  document: unknown,
  defaults: { readonly tenant: string; readonly nowMs: number },
): ReservationReading {
  const problems = new ProblemList('badRequest');
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    problems.add('', `a reservation is a map of fields, not ${describeValue(document)}`);
    return { ok: false, problems: problems.found };
  }
  const given = document as Record<string, unknown>;
  const known = Object.keys(reservationFields);
  for (const field of Object.keys(given)) {
    if (known.includes(field)) continue;
    const meant = closestName(field, known);
    const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
    problems.add(pointerStep(field), `unknown field \`${field.slice(0, 40)}\`${hint}`);
  }
  const name = nameOf(problems, '/name', given['name']);
  const tenant =
    given['tenant'] === undefined ? defaults.tenant : nameOf(problems, '/tenant', given['tenant']);
  const amount = amountOf(problems, given);
  const untilMs = endOf(problems, given, defaults.nowMs);
  const place = placeOf(problems, given);
  if (problems.found.length > 0 || name === undefined || tenant === undefined) {
    return { ok: false, problems: problems.found };
  }
  return { ok: true, ask: { name, tenant, amount, untilMs, ...place } };
}

function nameOf(problems: ProblemList, pointer: string, value: unknown): string | undefined {
  if (value === undefined) return problems.add(pointer, 'is missing: say what it is called');
  const rule = { bytesMax: limits.nameBytesMax, bytesMin: 1, oneLine: true };
  const name = readText(problems, pointer, value, rule);
  if (name === undefined || namePattern.test(name)) return name;
  const what = describeValue(name);
  return problems.add(pointer, `must be letters, digits, ".", "-" and "_", not ${what}`);
}

/** What tasks of every tier take: a reservation without it would be of use to none. */
const neededByTasks: ReadonlySet<ResourceName> = new Set<ResourceName>(['cpuMilli', 'memoryBytes']);

function amountOf(problems: ProblemList, given: Record<string, unknown>): Resources {
  const amount: { -readonly [Name in keyof Resources]: number } = { ...noResources };
  const before = problems.found.length;
  for (const [field, [resource, read]] of Object.entries(amountReaders)) {
    const pointer = pointerStep(field);
    if (given[field] !== undefined) amount[resource] = read(problems, pointer, given[field]) ?? 0;
    else if (neededByTasks.has(resource)) {
      problems.add(pointer, 'is missing: tasks take some of it; give how much is held, or 0');
    }
  }
  const isNothing = Object.values(amount).every(value => value === 0);
  if (isNothing && problems.found.length === before) {
    problems.add('', 'says nothing to hold: give more than 0 of something');
  }
  return amount;
}

/** The date as milliseconds; a day is its begin in UTC. */
function endOf(problems: ProblemList, given: Record<string, unknown>, nowMs: number): number {
  const { until, for: length } = given;
  if ((until === undefined) === (length === undefined)) {
    problems.add('/until', 'give the end: either `until`, a date, or `for`, such as "7d"');
    return 0;
  }
  if (until === undefined) {
    const range = { min: 1_000, max: limits.reservationMsMax };
    return nowMs + (readDuration(problems, '/for', length, range) ?? 0);
  }
  const untilMs = typeof until === 'string' && datePattern.test(until) ? Date.parse(until) : NaN;
  const isReal = !Number.isNaN(untilMs) && isDay(String(until).slice(0, 10));
  if (!isReal) {
    const example = '2027-03-01, or 2027-03-01T06:00Z';
    problems.add(
      '/until',
      `must be a date that exists, such as ${example}, not ${describeValue(until)}`,
    );
  } else if (untilMs <= nowMs) {
    problems.add('/until', `${describeValue(until)} is in the past; give a later date`);
  } else if (untilMs - nowMs > limits.reservationMsMax) {
    problems.add('/until', `${describeValue(until)} is more than ten years away`);
  }
  return untilMs;
}

/** Whether the day of the text is one of the calendar: dates roll over, 30 February too. */
function isDay(day: string): boolean {
  const startMs = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(startMs) && new Date(startMs).toISOString().slice(0, 10) === day;
}

function placeOf(
  problems: ProblemList,
  given: Record<string, unknown>,
): Pick<ReservationAsk, 'nodes' | 'count' | 'tier' | 'require'> {
  const nodes =
    given['nodes'] === undefined
      ? []
      : (readTextList(problems, '/nodes', given['nodes'], limits.envBytesMax) ?? []);
  if (nodes.length > 0 && given['count'] !== undefined) {
    problems.add('/count', 'cannot go with `nodes`: those are counted');
  }
  if (
    nodes.length > limits.reservationNodesMax ||
    (given['nodes'] !== undefined && !nodes.length)
  ) {
    problems.add('/nodes', `must name 1 to ${limits.reservationNodesMax} nodes`);
  }
  const range = { min: 1, max: limits.reservationNodesMax };
  const count =
    given['count'] === undefined ? 1 : (readCount(problems, '/count', given['count'], range) ?? 1);
  const tier = tiers.find(known => known === (given['tier'] ?? 'basic'));
  if (tier === undefined) {
    problems.add('/tier', `must be ${tiers.join(', ')}, not ${describeValue(given['tier'])}`);
  }
  const rule = {
    what: 'labels',
    countMax: limits.labelsMax,
    itemBytesMax: limits.labelBytesMax,
    totalBytesMax: limits.envBytesMax,
    oneLine: true,
    refuseName: (label: string) => (label === '' ? 'a label needs a name' : undefined),
  };
  const require =
    given['require'] === undefined
      ? []
      : (readPairMap(problems, '/require', given['require'], rule) ?? []);
  return { nodes, count: nodes.length > 0 ? nodes.length : count, tier: tier ?? 'basic', require };
}
