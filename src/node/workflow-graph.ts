/**
 * Names and parents of a workflow's tasks, from rows that are on the disk or on their way there.
 */

import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeGraph, type GraphNode, graphKey } from '../shard/workflows.ts';

/** Reads a row of the shard that is on the disk. */
export type RowReader = (key: Uint8Array) => Uint8Array | undefined;

/** By index; empty where the workflow is not known. */
export function graphNodes(machine: ShardMachine, readRow: RowReader, id: TaskId): GraphNode[] {
  const nodes: GraphNode[] = [];
  for (const first of machine.links.workflow(id)?.rows ?? []) {
    const key = graphKey(id, first);
    const row = machine.links.pendingRow(key) ?? readRow(key);
    assert(row !== undefined, `the graph of workflow ${id} has a row from task ${first} on`);
    nodes.push(...decodeGraph(row).nodes);
  }
  return nodes;
}
