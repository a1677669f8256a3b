/**
 * A template: parameters, and a task document in which `${name}` stands for the value of one.
 *
 * A value never becomes syntax. It is placed into the values of a document that was parsed before:
 * as a whole, or inside a text, which nobody here parses again; `${n}` alone in its place keeps the
 * type of a whole number or a truth value, but where only texts may stand. Names of fields and
 * variables are not looked at. What a shell would parse is left as it is, for there a value could
 * say anything: a script, a command that is one text, the program text behind `sh -c`. There a
 * value arrives by an argument or a variable, as `"$1"` or `"$NAME"`. `$${` is a plain `${`.
 */
import { type DocumentMap, isMap, joinDocuments } from './document.ts';
import { readSpecDocument } from './spec-document.ts';
import { closestName } from './spec-fields.ts';
import {
  addUnknownField,
  describeValue,
  ProblemList,
  pointerStep,
  type SpecProblem,
} from './spec-reading.ts';
import type { TemplateUse } from './spec-scheduling.ts';
import {
  type Parameter,
  type ParameterValue,
  readDescription,
  readParameters,
  readValue,
  sampleOf,
} from './template-parameters.ts';
import { formatTemplateUse } from './template-use.ts';

export interface Template {
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly task: DocumentMap;
}

export type TemplateReading =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

export type Expansion =
  | { readonly ok: true; readonly document: DocumentMap }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

const templateFields = ['description', 'parameters', 'task'];
/** Each task has its own, or they are said where the template is used. */
const notInTemplates = ['id', 'template', 'set'];
const placeholder = /\$\$\{|\$\{([^}]*)\}/g;
const shells = /^(?:.*\/)?(?:sh|bash|dash|ash|zsh|ksh|busybox)$/;
const depthMax = 16;

type Place = (text: string, pointer: string) => ParameterValue;

/** Whether a shell reads the text at this place of a task document as a program. */
function isShellText(task: DocumentMap, pointer: string): boolean {
  if (pointer === '/script' || pointer === '/scriptBase64' || pointer === '/command') return true;
  const [, field, position] = pointer.split('/');
  const { command } = task;
  if (field !== 'command' || !Array.isArray(command)) return false;
  const isShell = typeof command[0] === 'string' && shells.test(command[0]);
  const before: unknown = command[Number(position) - 1];
  return isShell && typeof before === 'string' && /^-[a-zA-Z]*c$/.test(before);
}

/** Fields of a task whose parts are texts whatever they hold. */
const textFields = ['command', 'args', 'env', 'labels', 'require'];

const isTextField = (pointer: string): boolean => textFields.includes(pointer.split('/')[1] ?? '');

/** A copy of a value with every text in it replaced; names of fields stay. */
function replaceTexts(value: unknown, pointer: string, place: Place, depth = 0): unknown {
  if (typeof value === 'string') return place(value, pointer);
  if (depth > depthMax) return value;
  if (Array.isArray(value)) {
    return value.map((item, at) => replaceTexts(item, `${pointer}/${at}`, place, depth + 1));
  }
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      replaceTexts(item, pointer + pointerStep(name), place, depth + 1),
    ]),
  );
}

/** The task with these values in their places. */
function substitute(task: DocumentMap, values: ReadonlyMap<string, ParameterValue>): DocumentMap {
  const place: Place = (text, pointer) => {
    if (isShellText(task, pointer)) return text;
    const alone = /^\$\{([^}]*)\}$/.exec(text)?.[1];
    const whole = alone === undefined ? undefined : values.get(alone);
    if (whole !== undefined) return isTextField(pointer) ? String(whole) : whole;
    return text.replaceAll(placeholder, (found: string, name: string | undefined) =>
      name === undefined ? '${' : String(values.get(name) ?? found),
    );
  };
  return replaceTexts(task, '', place) as DocumentMap;
}

const namesIn = (text: string): string[] =>
  [...text.matchAll(placeholder)].flatMap(([, name]) => (name === undefined ? [] : [name]));

/** Placeholders that mean nothing, or stand where a shell would read the value. */
function checkPlaceholders(
  task: DocumentMap,
  parameters: readonly Parameter[],
  problems: ProblemList,
): void {
  const known = parameters.map(({ name }) => name);
  const variables = isMap(task['env']) ? Object.keys(task['env']) : [];
  replaceTexts(task, '', (text, pointer) => {
    const place = `/task${pointer}`;
    for (const name of namesIn(text)) {
      if (isShellText(task, pointer)) {
        if (!known.includes(name) || variables.includes(name)) continue;
        problems.add(
          place,
          `a shell would read the value of \`${name}\` as part of its program: give it in \`env\` ` +
            `or as an argument, and write "$${name}" or "$1" here`,
        );
      } else if (!known.includes(name)) {
        const declared = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
        problems.add(
          place,
          `\${${name.slice(0, 40)}} is no parameter of the template: ${declared}; ` +
            'write $${ for a plain ${',
        );
      }
    }
    return text;
  });
}

/** Reads a template as people write it: `description`, `parameters`, `task`. */
export function readTemplate(value: unknown): TemplateReading {
  const problems = new ProblemList();
  if (!isMap(value)) {
    problems.add('', `a template is a map of fields, not ${describeValue(value)}`);
    return { ok: false, problems: problems.found };
  }
  for (const name of Object.keys(value)) {
    if (!templateFields.includes(name)) addUnknownField(problems, '', name, templateFields);
  }
  const description = readDescription(value['description'], '/description', problems);
  const parameters = readParameters(value['parameters'], '/parameters', problems);
  const { task } = value;
  if (!isMap(task)) {
    problems.add('/task', 'must be the document of a task, such as {command: [echo, hello]}');
    return { ok: false, problems: problems.found };
  }
  for (const name of notInTemplates) {
    if (task[name] !== undefined) {
      problems.add(`/task${pointerStep(name)}`, 'does not belong into a template');
    }
  }
  if (problems.found.length === 0) checkPlaceholders(task, parameters, problems);
  if (problems.found.length === 0) tryOut(task, parameters, problems);
  if (problems.found.length > 0) return { ok: false, problems: problems.found };
  return { ok: true, template: { description, parameters, task } };
}

/**
 * Makes a task with the defaults, and with samples where there are none: what is wrong in any case
 * is told at once, what depends on a value that nobody has given yet is not.
 */
function tryOut(task: DocumentMap, parameters: readonly Parameter[], problems: ProblemList): void {
  const values = new Map(parameters.map(parameter => [parameter.name, sampleOf(parameter)]));
  const open = new Set(parameters.filter(one => one.default === undefined).map(one => one.name));
  const reading = readSpecDocument(substitute(task, values), { tenant: 'default', owner: 'x' });
  if (reading.ok) return;
  for (const { pointer, message, code } of reading.problems) {
    const field = task[pointer.split('/')[1] ?? ''];
    let depends = false;
    replaceTexts(field, '', text => {
      depends ||= namesIn(text).some(name => open.has(name));
      return text;
    });
    if (!depends) problems.add(`/task${pointer}`, message, code);
  }
}

/** Whose parameters are placed only where fields of `own` stand over the template. */
function namesCovered({ task }: Template, own: DocumentMap): ReadonlySet<string> {
  const texts = new Map<string, string>();
  replaceTexts(task, '', (text, pointer) => {
    if (!isShellText(task, pointer)) texts.set(pointer, text);
    return text;
  });
  const left = new Set<string>();
  replaceTexts(joinDocuments(task, own), '', (text, pointer) => {
    if (texts.get(pointer) === text) for (const name of namesIn(text)) left.add(name);
    return text;
  });
  return new Set([...texts.values()].flatMap(namesIn).filter(name => !left.has(name)));
}

/**
 * The task that a template makes of these values; `set` is a map, or missing. What is placed only
 * where fields of `own` stand over it need not be given: so a document that was shown, with the
 * template that it was made from and without the values, says the same when it is given back.
 */
export function expandTemplate(template: Template, set: unknown, own: DocumentMap = {}): Expansion {
  const problems = new ProblemList();
  if (set !== undefined && !isMap(set)) {
    problems.add('/set', `must be a map of values, not ${describeValue(set)}`);
    return { ok: false, problems: problems.found };
  }
  const given = set ?? {};
  const names = template.parameters.map(({ name }) => name);
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const meant = closestName(name, names);
    const others = names.length === 0 ? 'none' : names.join(', ');
    const hint = meant === undefined ? `; it has ${others}` : `; did you mean \`${meant}\`?`;
    const shown = name.slice(0, 40);
    problems.add(`/set${pointerStep(name)}`, `the template has no parameter \`${shown}\`${hint}`);
  }
  const covered = namesCovered(template, own);
  const values = new Map<string, ParameterValue>();
  for (const parameter of template.parameters) {
    const { name } = parameter;
    const pointer = `/set${pointerStep(name)}`;
    const value =
      given[name] === undefined
        ? parameter.default
        : readValue(parameter, given[name], pointer, problems);
    if (value !== undefined) values.set(name, value);
    else if (given[name] === undefined && !covered.has(name)) {
      problems.add(
        pointer,
        `the parameter \`${name}\` (${parameter.type}) has no default: give it, as ` +
          `--set ${name}=VALUE or in \`set\``,
      );
    }
  }
  if (problems.found.length > 0) return { ok: false, problems: problems.found };
  return { ok: true, document: substitute(template.task, values) };
}

/**
 * The document that a use of a template stands for: what the template makes, with the other fields
 * of `document` over it, and the revision that it was.
 */
export function resolveUse(document: DocumentMap, template: Template, use: TemplateUse): Expansion {
  const { template: _template, set, ...own } = document;
  const expansion = expandTemplate(template, set, own);
  if (!expansion.ok) return expansion;
  const joined = joinDocuments(expansion.document, own);
  // The key makes a repeat safe, and may put the task elsewhere than the ID that was drawn for it.
  const { id, ...rest } = joined;
  const keyed = rest['idempotencyKey'] !== undefined && own['idempotencyKey'] === undefined;
  const named = { ...rest, template: formatTemplateUse(use) };
  return { ok: true, document: keyed || id === undefined ? named : { ...named, id } };
}
