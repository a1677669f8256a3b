/** One part of a scenario while it is read: its fields, and what is wrong with them. */
import { parseSize } from '../model/resources.ts';
import {
  addUnknownField,
  describeValue,
  type ProblemList,
  pointerStep,
  readCount,
  readDuration,
} from '../model/spec-reading.ts';
import { parseDuration } from '../model/time.ts';

/** No part of a run is longer. */
export const hourMs = 3_600_000;

export type Fields = Readonly<Record<string, unknown>>;

/** Reads one part of the document, noting what is wrong. */
export class Part {
  readonly problems: ProblemList;
  readonly pointer: string;
  readonly fields: Fields;

  constructor(problems: ProblemList, pointer: string, value: unknown, known: readonly string[]) {
    this.problems = problems;
    this.pointer = pointer;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isMap && value !== undefined) {
      problems.add(pointer, `must be a map, not ${describeValue(value)}`);
    }
    this.fields = isMap ? (value as Fields) : {};
    for (const name of Object.keys(this.fields)) {
      if (!known.includes(name)) addUnknownField(problems, pointer, name, known);
    }
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined;
  }

  /** The same part as if it had no such field. */
  without(name: string): Part {
    const { [name]: _, ...fields } = this.fields;
    return new Part(this.problems, this.pointer, fields, Object.keys(fields));
  }

  at(name: string | number): string {
    return this.pointer + pointerStep(name);
  }

  missing(name: string): undefined {
    return this.problems.add(this.pointer, `has no \`${name}\``);
  }

  count(name: string, range: { readonly min: number; readonly max: number }): number | undefined {
    if (!this.has(name)) return undefined;
    return readCount(this.problems, this.at(name), this.fields[name], range);
  }

  duration(name: string, range: { readonly min: number; readonly max: number }) {
    if (!this.has(name)) return undefined;
    return readDuration(this.problems, this.at(name), this.fields[name], range);
  }

  /** `-30m`: a duration that may be negative. */
  signedDuration(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.fields[name];
    const match = typeof value === 'string' ? /^([+-]?)(.+)$/.exec(value.trim()) : null;
    const length = match === null ? undefined : parseDuration(match[2]!);
    if (length === undefined) {
      const allowed = 'must be a duration such as "1h" or "-30m"';
      return this.problems.add(this.at(name), `${allowed}, not ${describeValue(value)}`);
    }
    return match![1] === '-' ? -length : length;
  }

  size(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.fields[name];
    const bytes = typeof value === 'string' ? parseSize(value) : value;
    if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
    const allowed = 'must be a size such as "1MiB"';
    return this.problems.add(this.at(name), `${allowed}, not ${describeValue(value)}`);
  }

  text(name: string, pattern: RegExp, allowed: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.fields[name];
    if (typeof value === 'string' && pattern.test(value)) return value;
    return this.problems.add(this.at(name), `must be ${allowed}, not ${describeValue(value)}`);
  }

  /** One of a closed set. */
  kind<Name extends string>(
    pointer: string,
    value: unknown,
    known: readonly Name[],
  ): Name | undefined {
    const found = known.find(name => name === value);
    if (found !== undefined) return found;
    const list = known.join(', ');
    return this.problems.add(pointer, `must be one of ${list}, not ${describeValue(value)}`);
  }
}
