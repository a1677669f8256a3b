/** Names and parents of a workflow's tasks, from rows on the disk or on their way there. */
import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeGraph, type GraphNode, graphKey } from '../shard/workflows.ts';

/** Reads a row of the shard that is on the disk. */
export type RowReader = (key: Uint8Array) => Uint8Array | undefined;

/** By index; empty where the workflow is not known. */
export function graphNodes(machine: ShardMachine, readRow: RowReader, id: TaskId): GraphNode[] {
  const firsts = machine.links.workflow(id)?.rows ?? [];
  return firsts.flatMap(first => nodesFrom(machine, readRow, id, first));
}

/** Names of some of the tasks; only the rows that hold them are read. */
export function taskNames(
  machine: ShardMachine,
  readRow: RowReader,
  id: TaskId,
  indices: readonly number[],
): (string | undefined)[] {
  const firsts = machine.links.workflow(id)?.rows ?? [];
  const read = new Map<number, GraphNode[]>();
  return indices.map(index => {
    const first = firsts.findLast(one => one <= index);
    if (first === undefined) return undefined;
    const nodes = read.get(first) ?? nodesFrom(machine, readRow, id, first);
    read.set(first, nodes);
    return nodes[index - first]?.name;
  });
}

function nodesFrom(
  machine: ShardMachine,
  readRow: RowReader,
  id: TaskId,
  first: number,
): GraphNode[] {
  const key = graphKey(id, first);
  const row = machine.links.pendingRow(key) ?? readRow(key);
  assert(row !== undefined, `the graph of workflow ${id} has a row from task ${first} on`);
  return decodeGraph(row).nodes;
}
