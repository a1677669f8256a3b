/** A workflow that is submitted or planned: its document read, as whoever sent it may have it. */
import { isMap } from '../model/document.ts';
import type { SpecProblem } from '../model/spec-reading.ts';
import { readWorkflowDocument, type WorkflowDocument } from '../model/workflow-document.ts';
import type { NodeApi } from '../ports/node-api.ts';
import type { Identity } from './access.ts';
import { ProblemError, problemOf, problemOfDocument } from './problem.ts';
import { resolveInside } from './templates.ts';

/** The document with what templates make in the place of each of its tasks that uses one. */
function withoutTemplates(document: unknown, tenant: string, api: NodeApi): unknown {
  if (!isMap(document) || !Array.isArray(document['tasks'])) return document;
  const owner = typeof document['tenant'] === 'string' ? document['tenant'] : tenant;
  const problems: SpecProblem[] = [];
  const tasks = document['tasks'].map((task: unknown, index) => {
    const inner = { document: task, pointer: `/tasks/${index}` };
    const resolved = resolveInside(inner, owner, api);
    if (resolved.ok) return resolved.document;
    const { problem } = resolved;
    if (problem.problems === undefined) throw new ProblemError(problem);
    problems.push(...problem.problems);
    return task;
  });
  if (problems.length > 0) throw new ProblemError(problemOfDocument(problems));
  return { ...document, tasks };
}

/** Throws a problem that tells everything that is wrong with the document. */
export function workflowOf(body: unknown, identity: Identity, api: NodeApi): WorkflowDocument {
  const { tenant, name: owner } = identity;
  const document = withoutTemplates(body, tenant, api);
  const reading = readWorkflowDocument(document, { tenant, owner, tiers: api.tiers() });
  if (!reading.ok) throw new ProblemError(problemOfDocument(reading.problems));
  const { workflow } = reading;
  if (workflow.tenant !== tenant && identity.role !== 'admin') {
    const detail = `The token belongs to the tenant ${tenant}, not to ${workflow.tenant}.`;
    throw new ProblemError(problemOf('forbidden', detail, { field: '/tenant' }));
  }
  return workflow;
}
