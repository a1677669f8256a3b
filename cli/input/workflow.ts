/** From a file that holds a workflow to the document that is sent, validated as the node will. */
import { parseTaskId, type TaskId } from '../../src/model/ids.ts';
import { workflowRandomMax } from '../../src/model/workflow.ts';
import { isWorkflowDocument, readWorkflowDocument } from '../../src/model/workflow-document.ts';
import { usageError } from '../cli-error.ts';
import { flagOfPointer, overrideDocument, type TaskDocument } from './spec-flags.ts';
import { placeProblem, refusal, type TaskInput } from './tasks.ts';

export interface PreparedWorkflow {
  readonly document: TaskDocument;
  readonly id: string;
}

/** Flags that say something about a workflow as a whole. */
const ownFlags = new Set(['id', 'owner']);

/** The workflow that the inputs are, if they are one. Throws one error that tells all problems. */
export function prepareWorkflow(
  inputs: readonly TaskInput[],
  flags: TaskDocument,
  drawId: () => TaskId,
): PreparedWorkflow | undefined {
  const input = inputs.find(({ value }) => isWorkflowDocument(value));
  if (input === undefined) return undefined;
  if (inputs.length > 1) {
    throw usageError(
      'a workflow stands alone in its file',
      'Submit the other tasks by themselves.',
    );
  }
  const foreign = Object.keys(flags).find(field => !ownFlags.has(field));
  if (foreign !== undefined) {
    const flag = flagOfPointer(`/${foreign}`) ?? foreign;
    throw usageError(
      `${flag} is of a task, not of a workflow`,
      'Put it into the file, at each task.',
    );
  }
  const document = overrideDocument(input.value, flags) as TaskDocument;
  const reading = readWorkflowDocument(document, { tenant: 'default', owner: 'cli' });
  if (!reading.ok) {
    throw refusal(
      reading.problems.map(problem => ({
        ...placeProblem(problem, input, flags),
        code: problem.code,
      })),
    );
  }
  let id = reading.workflow.id ?? drawId();
  while (parseTaskId(id)!.random > workflowRandomMax) id = drawId();
  return { document: { ...document, id }, id };
}
