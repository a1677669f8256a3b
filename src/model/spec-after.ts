/** What a task document says of the tasks that it waits for. */
import { type TaskId, toTaskId } from './ids.ts';
import { limits } from './limits.ts';
import { describeValue, type ProblemList, pointerStep } from './spec-reading.ts';
import { type When, whens } from './when.ts';

export function readAfter(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): readonly TaskId[] | undefined {
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.length === 0) {
    return problems.add(pointer, `must be a list of task IDs, not ${describeValue(value)}`);
  }
  if (list.length > limits.afterMax) {
    const most = limits.afterMax;
    return problems.add(pointer, `names ${list.length} tasks; at most ${most} are allowed`);
  }
  const ids = new Set<TaskId>();
  list.forEach((text: unknown, place) => {
    const id = typeof text === 'string' ? toTaskId(text) : undefined;
    const at = pointer + pointerStep(place);
    if (id === undefined) {
      problems.add(at, `must be a whole task ID of 20 characters, not ${describeValue(text)}`);
    } else if (ids.has(id)) problems.add(at, `names task ${id} twice`);
    else ids.add(id);
  });
  return [...ids];
}

export function readWhen(problems: ProblemList, pointer: string, value: unknown): When | undefined {
  const when = whens.find(known => known === value);
  if (when !== undefined) return when;
  return problems.add(pointer, `must be success, failure or always, not ${describeValue(value)}`);
}
