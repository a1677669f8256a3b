/** What a workflow carries to its shard: encoded tasks in parts that fit one log entry each. */
import { createHash } from 'node:crypto';
import type { ShardCommandBody } from '../model/command.ts';
import { limits } from '../model/limits.ts';
import type { WorkflowHead, WorkflowItem } from '../model/workflow.ts';
import type { WorkflowRequest } from '../ports/workflow-api.ts';
import { type Encoded, encodeWithDigest } from './submit-parts.ts';

/** Bytes of specs and outcomes of one part, unless a single task has more. */
const partBytesMax = 1024 * 1024;

export type WorkflowPart = ShardCommandBody & { readonly kind: 'submitWorkflow' };

/** The same for equal requests: what makes a repeat of a submit recognisable. */
function digestOf(request: WorkflowRequest, specs: readonly Encoded[]): Uint8Array {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([request.name, request.tenant, request.owner, request.retryOf ?? '']));
  request.tasks.forEach(({ parents, kept }, index) => {
    hash.update(specs[index]!.digest);
    hash.update(JSON.stringify([parents, kept?.taskId ?? '']));
  });
  return new Uint8Array(hash.digest().subarray(0, 16));
}

export function workflowParts(
  request: WorkflowRequest & { readonly id: WorkflowHead['id'] },
): WorkflowPart[] {
  const specs = request.tasks.map(({ spec }) => encodeWithDigest(spec));
  const { id, name, tenant, owner, retryOf } = request;
  const total = request.tasks.length;
  const workflow = { id, name, tenant, owner, retryOf, total, digest: digestOf(request, specs) };
  const parts: (WorkflowPart & { specs: Encoded[]; items: WorkflowItem[] })[] = [];
  let bytes = 0;
  request.tasks.forEach(({ spec, parents, retryOf: taskRetried, kept }, index) => {
    const size = specs[index]!.bytes.length + (kept?.outcome.output?.length ?? 0);
    let part = parts.at(-1);
    const isFull = (part?.items.length ?? 0) >= limits.workflowChunkTasks;
    if (part === undefined || isFull || bytes + size > partBytesMax) {
      part = { kind: 'submitWorkflow', workflow, from: index, specs: [], items: [] };
      parts.push(part);
      bytes = 0;
    }
    bytes += size;
    part.items.push({
      spec: part.specs.length,
      name: spec.name,
      parents,
      retryOf: taskRetried,
      kept,
    });
    part.specs.push(specs[index]!);
  });
  return parts;
}
