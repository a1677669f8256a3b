/** What an attempt is given of the tasks that its own waited for: files, within bounds. */
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { TaskInput } from '../model/worker-protocol.ts';
import { endOfRecord } from '../shard/end-of-record.ts';
import { taskKey } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow } from '../shard/record.ts';
import { type RowReader, taskNames } from './workflow-graph.ts';

/**
 * In the order in which the task names its parents, those of its workflow first; what goes beyond
 * `limits.inputBytesMax` is left out. A parent of a workflow stays in the history while that runs.
 */
export function inputsOf(machine: ShardMachine, readRow: RowReader, id: TaskId): TaskInput[] {
  const sources = machine.links.inputSources(id);
  if (sources === undefined) return [];
  const inputs: TaskInput[] = [];
  let bytes = 0;
  const take = (input: TaskInput): void => {
    const size = Buffer.byteLength(input.text);
    if (bytes + size > limits.inputBytesMax || inputs.length >= limits.inputsMax) return;
    bytes += size;
    inputs.push(input);
  };
  if (sources.workflow !== undefined) {
    const { workflow, parents } = sources;
    const indices = parents.map(({ index }) => index);
    const names = taskNames(machine, readRow, workflow, indices);
    parents.forEach((parent, place) => {
      const text = outputOf(machine, readRow, parent.id);
      const name = names[place];
      if (text !== undefined && name !== undefined) take({ name, text });
    });
  }
  sources.inputs.forEach(take);
  return inputs;
}

function outputOf(machine: ShardMachine, readRow: RowReader, id: TaskId): string | undefined {
  const hot = machine.record(id);
  if (hot !== undefined) return endOfRecord(hot).output;
  const row = readRow(taskKey(id));
  return row && endOfRecord(decodeTaskRow(row)).output;
}
