/** From the files that hold a workflow to the document that is sent, validated as the node will. */
import { isMap } from '../../src/model/document.ts';
import { parseTaskId, type TaskId } from '../../src/model/ids.ts';
import { unknownTiers } from '../../src/model/tiers.ts';
import { workflowRandomMax } from '../../src/model/workflow.ts';
import { isWorkflowDocument, readWorkflowDocument } from '../../src/model/workflow-document.ts';
import { usageError } from '../cli-error.ts';
import type { Placing } from '../refusal.ts';
import { placed, placingOf, refusalOf, type TaskInput } from './places.ts';
import { flagOfPointer, overrideDocument, type TaskDocument } from './spec-flags.ts';
import { joinWorkflow, lineOf } from './workflow-files.ts';

export interface PreparedWorkflow {
  readonly document: TaskDocument;
  readonly id: string;
  /** Where what a node finds wrong with it stands. */
  readonly place: Placing;
}

/** Flags that say something about a workflow as a whole. */
const ownFlags = new Set(['id', 'owner']);

/**
 * What of a workflow can be judged here: of a task that a template makes, its place in the graph.
 * The rest is known to the nodes.
 */
function untilResolved(document: TaskDocument): TaskDocument {
  const { tasks } = document;
  if (!Array.isArray(tasks)) return document;
  return {
    ...document,
    tasks: tasks.map((task: unknown) => {
      if (!isMap(task) || task['template'] === undefined) return task;
      const { name, after, when } = task;
      return { name, after, when, command: ['true'] };
    }),
  };
}

/** The workflow that the inputs are, if they are one. Throws one error that tells all problems. */
export function prepareWorkflow(
  inputs: readonly TaskInput[],
  flags: TaskDocument,
  drawId: () => TaskId,
): PreparedWorkflow | undefined {
  if (!inputs.some(({ value }) => isWorkflowDocument(value))) return undefined;
  const foreign = Object.keys(flags).find(field => !ownFlags.has(field));
  if (foreign !== undefined) {
    const flag = flagOfPointer(`/${foreign}`) ?? foreign;
    throw usageError(
      `${flag} is of a task, not of a workflow`,
      'Put it into the file, at each task.',
    );
  }
  const input = joinWorkflow(inputs);
  const document = overrideDocument(input.value, flags) as TaskDocument;
  const defaults = { tenant: 'default', owner: 'cli', tiers: unknownTiers };
  const { source } = input;
  const whereIs = source && ((pointer: string) => lineOf(source.locate(pointer, 'value')));
  const reading = readWorkflowDocument(untilResolved(document), defaults, whereIs);
  const place = placingOf(input, flags);
  if (!reading.ok) throw refusalOf(placed(reading.problems, place));
  let id = reading.workflow.id ?? drawId();
  while (parseTaskId(id)!.random > workflowRandomMax) id = drawId();
  return { document: { ...document, id }, id, place };
}
