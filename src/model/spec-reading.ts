/**
 * Reading single values of a task document: each reader takes a value as it came from JSON or YAML
 * and returns its normal form, or notes a problem that names the value, the place and what is
 * allowed, and returns `undefined`. Nothing here throws.
 */
import { parseInstant } from './instant.ts';
import { limits } from './limits.ts';
import { parseCpu, parseSize } from './resources.ts';
import { closestName } from './spec-fields.ts';
import { formatDuration, parseDuration } from './time.ts';

export interface SpecProblem {
  /** JSON pointer into the document (RFC 6901). */
  readonly pointer: string;
  readonly code: 'badSpec' | 'badSchedule' | 'badRequest' | 'notYet' | 'tooLarge';
  readonly message: string;
}

const problemsMax = 20;

/** Problems found so far, bounded. */
export class ProblemList {
  readonly found: SpecProblem[] = [];
  readonly #code: SpecProblem['code'];

  /** `code` is that of what is read, where a problem says no other. */
  constructor(code: SpecProblem['code'] = 'badSpec') {
    this.#code = code;
  }

  add(pointer: string, message: string, code: SpecProblem['code'] = this.#code): undefined {
    if (this.found.length < problemsMax) this.found.push({ pointer, code, message });
  }

  get full(): boolean {
    return this.found.length >= problemsMax;
  }
}

/** One step of a JSON pointer. */
export const pointerStep = (name: string | number): string =>
  `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** A value as it appears in a message: its kind, and as much of it as is useful. */
export function describeValue(value: unknown): string {
  if (value === null) return 'nothing';
  if (typeof value === 'string') {
    const shown = value.length > 40 ? `${value.slice(0, 40)}…` : value;
    return `the text ${JSON.stringify(shown)}`;
  }
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return `${value}`;
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`;
}

/** Length of `text` in UTF-8. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code < 0x80) length += 1;
    else if (code < 0x800) length += 2;
    else if (code >= 0xd800 && code < 0xdc00) {
      length += 4;
      position++;
    } else length += 3;
  }
  return length;
}

const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

export interface TextRule {
  readonly bytesMax: number;
  /** Shown to people: control characters would let it rewrite a terminal. */
  readonly oneLine?: boolean;
  readonly bytesMin?: number;
}

export function readText(
  problems: ProblemList,
  pointer: string,
  value: unknown,
  rule: TextRule,
): string | undefined {
  if (typeof value !== 'string') {
    const hint =
      typeof value === 'number' || typeof value === 'boolean' ? '; write it in quotes' : '';
    return problems.add(pointer, `must be a text, not ${describeValue(value)}${hint}`);
  }
  if (value.length < (rule.bytesMin ?? 0)) return problems.add(pointer, 'must not be empty');
  if (value.length * 3 > rule.bytesMax) {
    const length = utf8Length(value);
    if (length > rule.bytesMax) {
      return problems.add(
        pointer,
        `is ${length} bytes long; at most ${rule.bytesMax} are allowed`,
        'tooLarge',
      );
    }
  }
  if (!value.isWellFormed()) return problems.add(pointer, 'holds half of a surrogate pair');
  if (rule.oneLine ? controlCharacter.test(value) : value.includes('\u0000')) {
    const what = rule.oneLine ? 'a control character' : 'a NUL character';
    return problems.add(pointer, `holds ${what}, which is not allowed: ${describeValue(value)}`);
  }
  return value;
}

export function readTextList(
  problems: ProblemList,
  pointer: string,
  value: unknown,
  bytesMax: number,
): string[] | undefined {
  if (!Array.isArray(value)) {
    return problems.add(pointer, `must be a list of texts, not ${describeValue(value)}`);
  }
  const list: string[] = [];
  let total = 0;
  for (let position = 0; position < value.length; position++) {
    const item = readText(problems, pointer, value[position], { bytesMax });
    if (item === undefined) {
      const problem = problems.found.pop();
      if (problem !== undefined) {
        problems.add(pointer + pointerStep(position), problem.message, problem.code);
      }
      return undefined;
    }
    total += utf8Length(item) + 1;
    list.push(item);
  }
  if (total > bytesMax) {
    return problems.add(
      pointer,
      `is ${total} bytes long in all; at most ${bytesMax} are allowed`,
      'tooLarge',
    );
  }
  return list;
}

export interface PairRule {
  readonly what: string;
  readonly countMax: number;
  readonly itemBytesMax: number;
  readonly totalBytesMax: number;
  /** Says what is wrong with a name, or `undefined`. */
  readonly refuseName: (name: string) => string | undefined;
  readonly oneLine: boolean;
}

/** A map of texts as pairs, sorted by name so that equal maps give equal specs. */
export function readPairMap(
  problems: ProblemList,
  pointer: string,
  value: unknown,
  rule: PairRule,
): [string, string][] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return problems.add(
      pointer,
      `must be a map from names to texts, not ${describeValue(value)}; for example {"A": "b"}`,
    );
  }
  const names = Object.keys(value).sort();
  if (names.length > rule.countMax) {
    return problems.add(
      pointer,
      `holds ${names.length} ${rule.what}; at most ${rule.countMax} are allowed`,
      'tooLarge',
    );
  }
  const pairs: [string, string][] = [];
  let total = 0;
  const before = problems.found.length;
  for (const name of names) {
    if (problems.full) return undefined;
    const place = pointer + pointerStep(name);
    const refused = rule.refuseName(name);
    if (refused !== undefined) problems.add(place, refused);
    const nameText = readText(problems, place, name, {
      bytesMax: rule.itemBytesMax,
      oneLine: true,
    });
    const itemText = readText(problems, place, (value as Record<string, unknown>)[name], {
      bytesMax: rule.itemBytesMax,
      oneLine: rule.oneLine,
    });
    if (nameText === undefined || itemText === undefined) continue;
    total += utf8Length(nameText) + utf8Length(itemText) + 2;
    pairs.push([nameText, itemText]);
  }
  if (problems.found.length > before) return undefined;
  if (total > rule.totalBytesMax) {
    return problems.add(
      pointer,
      `is ${total} bytes long in all; at most ${rule.totalBytesMax} are allowed`,
      'tooLarge',
    );
  }
  return pairs;
}

export function readCount(
  problems: ProblemList,
  pointer: string,
  value: unknown,
  range: { readonly min: number; readonly max: number },
): number | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (value >= range.min && value <= range.max) return value;
  }
  return problems.add(
    pointer,
    `must be a whole number from ${range.min} to ${range.max}, not ${describeValue(value)}`,
  );
}

export function readCpu(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): number | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  const milli = typeof text === 'string' ? parseCpu(text) : undefined;
  if (milli !== undefined) return milli;
  return problems.add(
    pointer,
    `must be a number of CPUs such as 2, 0.5 or "250m", not ${describeValue(value)}`,
  );
}

/** Bytes: a whole number, or a text with a unit. */
export function readSize(
  problems: ProblemList,
  pointer: string,
  value: unknown,
  range: { readonly min: number; readonly max: number } = {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  },
): number | undefined {
  let bytes: number | undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) bytes = value;
  else if (typeof value === 'string') bytes = parseSize(value);
  if (bytes === undefined || bytes < 0) {
    return problems.add(
      pointer,
      `must be a size such as "512MiB", "4GiB" or 1048576, not ${describeValue(value)}`,
    );
  }
  if (bytes < range.min || bytes > range.max) {
    return problems.add(
      pointer,
      `must be from ${range.min} to ${range.max} bytes, not ${describeValue(value)}`,
    );
  }
  return bytes;
}

/** A duration in milliseconds; a bare number is seconds. */
export function readDuration(
  problems: ProblemList,
  pointer: string,
  value: unknown,
  range: { readonly min: number; readonly max: number },
): number | undefined {
  let length: number | undefined;
  if (typeof value === 'number' && value >= 0) {
    const exact = value * 1_000;
    if (Number.isSafeInteger(Math.round(exact))) length = Math.round(exact);
  } else if (typeof value === 'string') length = parseDuration(value);
  if (length === undefined) {
    return problems.add(
      pointer,
      `must be a duration such as "10m", "1h30m" or "250ms", not ${describeValue(value)}`,
    );
  }
  if (length < range.min || length > range.max) {
    return problems.add(
      pointer,
      `must be from ${formatDuration(range.min)} to ${formatDuration(range.max)}, ` +
        `not ${describeValue(value)}`,
    );
  }
  return length;
}

/** An instant in milliseconds since the epoch. */
export function readInstant(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): number | undefined {
  const instant = typeof value === 'string' ? parseInstant(value) : undefined;
  if (instant !== undefined) return instant;
  return problems.add(
    pointer,
    'must be an instant such as "2027-01-31T09:30:00Z" or "2027-01-31T09:30+01:00", ' +
      `not ${describeValue(value)}`,
  );
}

const arrayText = /^(\d{1,9})-(\d{1,9})$/;

/** `1-1000`: first and last index, both included. */
export function readArrayRange(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): { from: number; to: number } | undefined {
  const match = typeof value === 'string' ? arrayText.exec(value.trim()) : null;
  if (match === null) {
    return problems.add(
      pointer,
      `must be a first and a last index such as "1-1000", not ${describeValue(value)}`,
    );
  }
  const from = Number(match[1]);
  const to = Number(match[2]);
  if (to < from) return problems.add(pointer, `ends before it begins: ${describeValue(value)}`);
  if (to - from + 1 > limits.arrayMax) {
    return problems.add(
      pointer,
      `makes ${to - from + 1} tasks; at most ${limits.arrayMax} are allowed`,
      'tooLarge',
    );
  }
  return { from, to };
}

/** Notes a field nobody knows, with the one that was most likely meant. */
export function addUnknownField(
  problems: ProblemList,
  pointer: string,
  name: string,
  known: readonly string[],
): void {
  const meant = closestName(name, known);
  const shown = name.length > 40 ? `${name.slice(0, 40)}…` : name;
  const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
  problems.add(pointer + pointerStep(name), `unknown field \`${shown}\`${hint}`);
}
