/** The document with which people change a task: some fields of the one that they submitted. */

import type { TaskSpec } from './spec.ts';
import { readSpecDocument, writeSpecDocument } from './spec-document.ts';
import { specFields } from './spec-fields.ts';
import {
  type OverrideName,
  overrideFields,
  overrideNames,
  type SpecOverrides,
  withOverrides,
} from './spec-overrides.ts';
import {
  addUnknownField,
  describeValue,
  ProblemList,
  pointerStep,
  type SpecProblem,
} from './spec-reading.ts';

export type UpdateReading =
  | { readonly ok: true; readonly overrides: SpecOverrides }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

export const updateFieldNames: readonly string[] = overrideNames.map(
  name => overrideFields[name].document,
);

const nameOfField = new Map<string, OverrideName>(
  overrideNames.map(name => [overrideFields[name].document, name]),
);

/** In the place of a cap: takes it away. */
const noCap = 'none';

/** Reads what is to change; every problem is told with its place, as in `readSpecDocument`. */
export function readUpdateDocument(document: unknown): UpdateReading {
  const problems = new ProblemList();
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    problems.add('', `what changes is a map of fields, not ${describeValue(document)}`);
    return { ok: false, problems: problems.found };
  }
  const given: Record<string, unknown> = {};
  const names: OverrideName[] = [];
  for (const [field, value] of Object.entries(document)) {
    if (value === undefined) continue;
    const name = nameOfField.get(field);
    if (name !== undefined) {
      names.push(name);
      if (name !== 'capMs' || value !== noCap) given[field] = value;
    } else if (Object.hasOwn(specFields, field)) {
      problems.add(
        pointerStep(field),
        `\`${field}\` cannot change once a task is submitted: cancel the task and submit it anew`,
      );
    } else addUnknownField(problems, '', field, updateFieldNames);
  }
  if (names.length === 0 && problems.found.length === 0) {
    problems.add('', `says nothing to change: give ${updateFieldNames.join(', ')}`);
  }
  const reading = readSpecDocument({ handler: 'null', ...given }, { tenant: 'default', owner: '' });
  if (!reading.ok) problems.found.push(...reading.problems);
  if (!reading.ok || problems.found.length > 0) return { ok: false, problems: problems.found };
  const { spec } = reading;
  // Of a spec that says no priority it is `normal`; here that is said, in the place of another.
  const said = { ...spec, priority: spec.priority ?? 'normal' };
  return { ok: true, overrides: Object.fromEntries(names.map(name => [name, said[name]])) };
}

/** What was changed of a task, as its document would say it. */
export function writeUpdateDocument(
  spec: TaskSpec,
  overrides: SpecOverrides,
): Record<string, unknown> {
  const document = writeSpecDocument(withOverrides(spec, overrides));
  const changed = overrideNames.filter(name => overrides[name] !== undefined);
  return Object.fromEntries(
    changed.map(name => {
      const { document: field } = overrideFields[name];
      const missing = name === 'capMs' ? noCap : name === 'labels' ? {} : '';
      return [field, document[field] ?? missing];
    }),
  );
}
