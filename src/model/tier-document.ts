/**
 * The document in which people change a tier, with the words of the task document: amounts, and
 * `cap` for the ceiling of the execution cap. Every problem is told at once.
 */
import { limits } from './limits.ts';
import { amountReaders } from './spec-field-readers.ts';
import type { JsonSchema } from './spec-fields.ts';
import {
  addUnknownField,
  ProblemList,
  pointerStep,
  readDuration,
  type SpecProblem,
} from './spec-reading.ts';
import { type TierChange, type TierField, tierFields } from './tiers.ts';

/** Without a ceiling. */
const noCeiling = 'none';

const amount: JsonSchema = {
  anyOf: [{ type: 'string' }, { type: 'number', minimum: 0 }, { type: 'null' }],
};
const described = (description: string): JsonSchema => ({ ...amount, description });

export const tierDocumentSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    cpu: described(
      'CPUs that its tasks are given; null brings the default back, as in each field.',
    ),
    memory: described('Memory that its tasks are given.'),
    disk: described('Disk that its tasks are given.'),
    iops: described('Disk operations a second that its tasks are given.'),
    bandwidth: described('Network bytes a second that its tasks are given.'),
    ports: described('TCP ports that its tasks are given.'),
    cap: described(`Longest execution cap of its tasks, such as "1h", or "${noCeiling}".`),
  },
};

const fieldNames = [...Object.keys(amountReaders), 'cap'];

export type TierReading =
  | { readonly ok: true; readonly changes: readonly TierChange[] }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

/** The name of a field in documents. */
export function tierFieldName(field: TierField): string {
  const found = Object.entries(amountReaders).find(([, [resource]]) => resource === field);
  return found?.[0] ?? 'cap';
}

function readValue(problems: ProblemList, name: string, value: unknown): number | undefined {
  const pointer = pointerStep(name);
  if (isAmount(name)) return amountReaders[name][1](problems, pointer, value);
  if (value === noCeiling) return 0;
  return readDuration(problems, pointer, value, { min: 1, max: limits.capMsMax });
}

const isAmount = (name: string): name is keyof typeof amountReaders =>
  Object.hasOwn(amountReaders, name);

export function readTierDocument(document: Readonly<Record<string, unknown>>): TierReading {
  const problems = new ProblemList();
  const changes: TierChange[] = [];
  for (const [name, value] of Object.entries(document)) {
    const field = tierFields.find(known => tierFieldName(known) === name);
    if (field === undefined) addUnknownField(problems, '', name, fieldNames);
    else if (value === null) changes.push({ field });
    else changes.push({ field, value: readValue(problems, name, value) });
  }
  if (changes.length === 0 && problems.found.length === 0) {
    problems.add('', `says nothing to change: give one of ${fieldNames.join(', ')}`);
  }
  return problems.found.length > 0
    ? { ok: false, problems: problems.found }
    : { ok: true, changes };
}
