/**
 * Parameters of a template: their types, defaults and bounds, and the values that people give. A
 * value keeps the form in which it is placed: a whole number and a truth value as such, all others
 * as texts, so that no fraction is ever rounded.
 */
import { isMap } from './document.ts';
import { limits } from './limits.ts';
import { parseSize } from './resources.ts';
import {
  addUnknownField,
  describeValue,
  type ProblemList,
  pointerStep,
  readCount,
  readText,
} from './spec-reading.ts';
import { parseDuration } from './time.ts';

export type ParameterValue = string | number | boolean;

export interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
  readonly description: string;
  /** Missing where a value has to be given. */
  readonly default?: ParameterValue | undefined;
  /** Of an `enum`. */
  readonly values: readonly string[];
  /** Of an `int`. */
  readonly min: number;
  readonly max: number;
}

interface TypeRow {
  /** The value in the form in which it is placed; `undefined` for one that is none of this type. */
  readonly read: (value: unknown, parameter: Parameter) => ParameterValue | undefined;
  readonly wanted: (parameter: Parameter) => string;
  /** Stands for any value where a template is tried out. */
  readonly sample: (parameter: Parameter) => ParameterValue;
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : undefined;

const matching =
  (accepts: (text: string) => boolean) =>
  (value: unknown): string | undefined => {
    const text = textOf(value);
    return text !== undefined && accepts(text) ? text : undefined;
  };

const types = {
  string: {
    read: value => (typeof value === 'string' ? value : undefined),
    wanted: () => 'a text',
    sample: () => 'text',
  },
  int: {
    read: (value, { min, max }) => {
      const text = textOf(value);
      if (text === undefined || !/^-?\d{1,15}$/.test(text)) return undefined;
      const whole = Number(text);
      return whole >= min && whole <= max ? whole : undefined;
    },
    wanted: ({ min, max }) => `a whole number from ${min} to ${max}`,
    sample: ({ min, max }) => Math.min(Math.max(1, min), max),
  },
  number: {
    read: matching(text => /^-?\d{1,15}(\.\d{1,15})?$/.test(text)),
    wanted: () => 'a number such as 0.25',
    sample: () => '1',
  },
  bool: {
    read: value => {
      if (typeof value === 'boolean') return value;
      return value === 'true' ? true : value === 'false' ? false : undefined;
    },
    wanted: () => 'true or false',
    sample: () => true,
  },
  duration: {
    read: matching(text => parseDuration(text) !== undefined),
    wanted: () => 'a duration such as 10m',
    sample: () => '1m',
  },
  size: {
    read: matching(text => parseSize(text) !== undefined),
    wanted: () => 'a size such as 512MiB',
    sample: () => '1MiB',
  },
  enum: {
    read: (value, { values }) => values.find(known => known === value),
    wanted: ({ values }) => `one of ${values.join(', ')}`,
    sample: ({ values }) => values[0] ?? '',
  },
} as const satisfies Record<string, TypeRow>;

export type ParameterType = keyof typeof types;

export const parameterTypes = Object.keys(types) as ParameterType[];

const rowOf = (type: ParameterType): TypeRow => types[type];

export const sampleOf = (parameter: Parameter): ParameterValue =>
  parameter.default ?? rowOf(parameter.type).sample(parameter);

const declarationFields = ['type', 'default', 'description', 'values', 'min', 'max'];
const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const wholeMax = 999_999_999_999_999;

/** Reads one value; what is wrong with it is told with its place. */
export function readValue(
  parameter: Parameter,
  value: unknown,
  pointer: string,
  problems: ProblemList,
): ParameterValue | undefined {
  const row = rowOf(parameter.type);
  const read = row.read(value, parameter);
  if (read === undefined) {
    const which = `the parameter \`${parameter.name}\``;
    return problems.add(
      pointer,
      `${which} must be ${row.wanted(parameter)}, not ${describeValue(value)}`,
    );
  }
  if (typeof read !== 'string') return read;
  return readText(problems, pointer, read, { bytesMax: limits.templateValueBytesMax });
}

/** Reads the map of parameters of a template. */
export function readParameters(
  value: unknown,
  pointer: string,
  problems: ProblemList,
): readonly Parameter[] {
  if (value === undefined) return [];
  if (!isMap(value)) {
    problems.add(pointer, `must be a map from names to types, not ${describeValue(value)}`);
    return [];
  }
  const names = Object.keys(value);
  if (names.length > limits.templateParametersMax) {
    problems.add(
      pointer,
      `holds ${names.length} parameters; at most ${limits.templateParametersMax} are allowed`,
      'tooLarge',
    );
    return [];
  }
  return names.flatMap(name => {
    const place = pointer + pointerStep(name);
    if (!namePattern.test(name)) {
      problems.add(place, 'a parameter is named by letters, digits and "_", at most 64 of them');
      return [];
    }
    const parameter = readParameter(name, value[name], place, problems);
    return parameter === undefined ? [] : [parameter];
  });
}

function readParameter(
  name: string,
  value: unknown,
  pointer: string,
  problems: ProblemList,
): Parameter | undefined {
  const given = isMap(value) ? value : { type: value };
  for (const field of Object.keys(given)) {
    if (!declarationFields.includes(field)) {
      addUnknownField(problems, pointer, field, declarationFields);
    }
  }
  const type = parameterTypes.find(known => known === given['type']);
  if (type === undefined) {
    const what = describeValue(given['type'] ?? null);
    return problems.add(pointer, `its type must be ${parameterTypes.join(', ')}, not ${what}`);
  }
  const before = problems.found.length;
  const bound = (field: 'min' | 'max', missing: number): number => {
    if (given[field] === undefined) return missing;
    const place = `${pointer}/${field}`;
    if (type !== 'int') problems.add(place, 'goes with the type int');
    return readCount(problems, place, given[field], { min: -wholeMax, max: wholeMax }) ?? missing;
  };
  const parameter: Parameter = {
    name,
    type,
    description: readDescription(given['description'], `${pointer}/description`, problems),
    values: readValues(given['values'], type, `${pointer}/values`, problems),
    min: bound('min', -wholeMax),
    max: bound('max', wholeMax),
  };
  if (parameter.min > parameter.max) problems.add(`${pointer}/max`, 'is below `min`');
  if (problems.found.length > before) return undefined;
  if (given['default'] === undefined) return parameter;
  const fallback = readValue(parameter, given['default'], `${pointer}/default`, problems);
  return fallback === undefined ? undefined : { ...parameter, default: fallback };
}

export function readDescription(value: unknown, pointer: string, problems: ProblemList): string {
  if (value === undefined) return '';
  const rule = { bytesMax: limits.templateDescriptionBytesMax, oneLine: true };
  return readText(problems, pointer, value, rule) ?? '';
}

function readValues(
  value: unknown,
  type: ParameterType,
  pointer: string,
  problems: ProblemList,
): readonly string[] {
  if (type !== 'enum') {
    if (value !== undefined) problems.add(pointer, 'goes with the type enum');
    return [];
  }
  const isList =
    Array.isArray(value) && value.length > 0 && value.every(item => typeof item === 'string');
  if (isList && value.length <= limits.templateEnumMax) return value as string[];
  problems.add(pointer, `an enum needs a list of 1 to ${limits.templateEnumMax} texts`);
  return [];
}
