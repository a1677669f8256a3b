/** How the fields of a task document are read that say what fails, and how many run at a time. */
import { causeHelp, readCause } from './failure-causes.ts';
import { limits } from './limits.ts';
import {
  describeValue,
  type ProblemList,
  pointerStep,
  readCount,
  readText,
} from './spec-reading.ts';

/**
 * Causes from `75`, `"75,SIGTERM"` or a list of such: each once, in one order, so that equal lists
 * give equal specs. `undefined` where something is wrong with one of them.
 */
export function readCauses(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): readonly string[] | undefined {
  const given = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  const causes = new Set<string>();
  const before = problems.found.length;
  given.forEach((item, position) => {
    const place = Array.isArray(value) ? pointer + pointerStep(position) : pointer;
    if (typeof item !== 'string' && typeof item !== 'number') {
      problems.add(place, `must be ${causeHelp}, not ${describeValue(item)}`);
      return;
    }
    for (const text of String(item).split(',')) {
      const cause = readCause(text);
      if (cause !== undefined) causes.add(cause);
      else problems.add(place, `must be ${causeHelp}, not ${describeValue(text.trim())}`);
    }
  });
  if (problems.found.length > before) return undefined;
  if (causes.size === 0) return problems.add(pointer, 'names no cause; leave it out');
  if (causes.size > limits.causesMax) {
    return problems.add(
      pointer,
      `names ${causes.size} causes; at most ${limits.causesMax} are allowed`,
      'tooLarge',
    );
  }
  return [...causes].sort();
}

/** `{ KEY: MAX }`, of one key: all tasks of a key are in one shard, so a task can have one. */
export function readMaxRunningPer(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): { readonly key: string; readonly max: number } | undefined {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = isMap ? Object.entries(value) : [];
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    const found = entries.length > 1 ? `${entries.length} keys` : describeValue(value);
    return problems.add(pointer, `must be one key with a number, such as {"db": 3}, not ${found}`);
  }
  const rule = { bytesMax: limits.keyBytesMax, bytesMin: 1, oneLine: true };
  const place = pointer + pointerStep(entry[0]);
  const key = readText(problems, place, entry[0], rule);
  // From the command line it is a text.
  const given = typeof entry[1] === 'string' && /^\d{1,6}$/.test(entry[1]) ? +entry[1] : entry[1];
  const max = readCount(problems, place, given, { min: 1, max: limits.maxRunningPerMax });
  return key === undefined || max === undefined ? undefined : { key, max };
}

/** What cannot be together. */
export function checkCauses(
  problems: ProblemList,
  draft: {
    readonly attempts: number;
    readonly orderKey: string | undefined;
    readonly maxRunningPer: object | undefined;
    readonly retryOn: readonly string[] | undefined;
    readonly noRetryOn: readonly string[] | undefined;
  },
): void {
  const { retryOn, noRetryOn } = draft;
  if (draft.orderKey !== undefined && draft.maxRunningPer !== undefined) {
    problems.add('/maxRunningPer', 'cannot go with `orderKey`, of which one task runs at a time');
  }
  if (retryOn !== undefined && draft.attempts === 1) {
    problems.add(
      '/retryOn',
      'says when to run again, and `attempts` is 1; raise that to 2 or more',
    );
  }
  const both = retryOn?.filter(cause => noRetryOn?.includes(cause)) ?? [];
  if (both.length > 0) {
    problems.add('/noRetryOn', `${both.join(', ')} is in \`retryOn\` too; leave it out of one`);
  }
}
