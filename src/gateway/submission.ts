/**
 * From task documents to submit requests and back to results: validation, the tenant's bound, and
 * arrays. The IDs of an array's tasks follow from the ID of the array, so that repeating the
 * request with that ID is safe and finishes what was begun.
 */
import { randomInt } from 'node:crypto';
import type { ErrorCode } from '../model/errors.ts';
import { formatTaskId, parseTaskId, slotCount, type TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { intoKeySlot } from '../model/slots.ts';
import { readSpecDocument } from '../model/spec-document.ts';
import type { SpecProblem } from '../model/spec-reading.ts';
import type { TierBundles } from '../model/tiers.ts';
import type { NodeApi, SubmitRequest } from '../ports/node-api.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import type { Identity } from './access.ts';
import { type Problem, problemOf, problemOfDocument, problemOfError } from './problem.ts';
import { resolveTemplate, type TemplateSource } from './templates.ts';

export type Prepared =
  | {
      readonly ok: true;
      readonly requests: readonly SubmitRequest[];
      readonly arrayId?: TaskId | undefined;
    }
  | { readonly ok: false; readonly problem: Problem };

/** Result of one document of a batch or a stream. */
export type SubmitResult =
  | {
      readonly ok: true;
      readonly id: string;
      readonly shard?: number | undefined;
      readonly repeated?: boolean | undefined;
      readonly startBoundMs?: number | undefined;
      /** Of an array: `id` is the array's, these are its tasks'. */
      readonly ids?: readonly string[] | undefined;
    }
  | {
      readonly ok: false;
      readonly id?: string | undefined;
      readonly code: ErrorCode;
      readonly message: string;
      readonly field?: string | undefined;
      readonly problems?: readonly SpecProblem[] | undefined;
      readonly retryAfterMs?: number | undefined;
    };

/** Consecutive tasks of an array that share a slot, and so a log entry. */
const tasksPerSlot = 100;
const randomMax = 2 ** 40;
/** Odd, so that the slots of an array repeat only after all 4096. */
const slotStride = 1_553;

/** ID of one task of an array: distinct within the array, the same each time it is asked for. */
export function arrayTaskId(arrayId: TaskId, position: number): TaskId {
  const parts = parseTaskId(arrayId)!;
  const group = Math.floor(position / tasksPerSlot);
  return formatTaskId({
    atMs: parts.atMs,
    slot: (parts.slot + group * slotStride) % slotCount,
    random: (parts.random + 1 + position) % randomMax,
  });
}

/** ID of one task of a gang: all are in the slot of its ID, and so in one shard. */
function gangTaskId(gangId: TaskId, rank: number): TaskId {
  const parts = parseTaskId(gangId)!;
  return formatTaskId({ ...parts, random: (parts.random + 1 + rank) % randomMax });
}

/** An ID that nobody else draws. */
export const drawId = (): TaskId =>
  formatTaskId({ atMs: Date.now(), slot: randomInt(slotCount), random: randomInt(randomMax) });

/** What a document may refer to. */
export interface Known {
  readonly tiers: TierBundles;
  readonly templates: TemplateSource;
}

export const knownTo = (api: NodeApi): Known => ({ tiers: api.tiers(), templates: api });

/** Reads a document on behalf of `identity` and makes the requests it stands for. */
export function prepare(document: unknown, identity: Identity, known: Known): Prepared {
  const { tenant, name: owner } = identity;
  const resolved = resolveTemplate(document, tenant, known.templates);
  if (!resolved.ok) return resolved;
  const reading = readSpecDocument(resolved.document, { tenant, owner, tiers: known.tiers });
  if (!reading.ok) return { ok: false, problem: problemOfDocument(reading.problems) };
  const { id, array } = reading;
  let { spec } = reading;
  if (spec.tenant !== identity.tenant && identity.role !== 'admin') {
    const detail = `The token belongs to the tenant ${identity.tenant}, not to ${spec.tenant}.`;
    return { ok: false, problem: problemOf('forbidden', detail, { field: '/tenant' }) };
  }
  if (array === undefined && spec.gang === undefined) {
    return { ok: true, requests: [{ id: id && intoKeySlot(id, spec), spec }] };
  }
  const arrayId = id ?? drawId();
  if (spec.spread !== undefined) spec = { ...spec, spread: { ...spec.spread, group: arrayId } };
  const requests: SubmitRequest[] = [];
  for (let rank = 0; rank < (spec.gang ?? 0); rank++) {
    requests.push({ id: gangTaskId(arrayId, rank), spec, arrayId, arrayIndex: rank });
  }
  if (array === undefined) return { ok: true, requests, arrayId };
  for (let index = array.from; index <= array.to; index++) {
    const taskId = intoKeySlot(arrayTaskId(arrayId, index - array.from), spec);
    requests.push({ id: taskId, spec, arrayId, arrayIndex: index });
  }
  return { ok: true, requests, arrayId };
}

export const problemOfReply = (reply: SubmitReply & { ok: false }, id?: string): Problem =>
  problemOf(reply.code, reply.message, {
    id: id ?? reply.id,
    retryAfterMs: reply.retryAfterMs,
  });

export const resultOfProblem = (problem: Problem): SubmitResult => ({
  ok: false,
  id: problem.id,
  code: problem.code,
  message: problem.detail,
  field: problem.field,
  problems: problem.problems,
  retryAfterMs: problem.retryAfterMs,
});

function resultOf(prepared: Prepared, replies: readonly SubmitReply[]): SubmitResult {
  if (!prepared.ok) return resultOfProblem(prepared.problem);
  const failed = replies.find(reply => !reply.ok);
  if (failed !== undefined && !failed.ok) {
    return resultOfProblem(problemOfReply(failed, prepared.arrayId));
  }
  const taken = replies.filter(reply => reply.ok);
  if (prepared.arrayId !== undefined) {
    const repeated = taken.every(reply => reply.repeated);
    const ids = taken.map(reply => reply.id);
    const bounds = taken.flatMap(reply => reply.startBoundMs ?? []);
    const startBoundMs = bounds.length === 0 ? undefined : Math.max(...bounds);
    return { ok: true, id: prepared.arrayId, repeated, startBoundMs, ids };
  }
  const { id, shard, repeated, startBoundMs } = taken[0]!;
  return { ok: true, id, shard, repeated, startBoundMs };
}

/**
 * Requests in calls of about `limits.batchItemsMax`. The tasks of an array stay together: they are
 * let in together.
 */
function inCalls(documents: readonly Prepared[]): SubmitRequest[][] {
  const calls: SubmitRequest[][] = [];
  for (const document of documents) {
    if (!document.ok) continue;
    const call = calls.at(-1);
    const { requests } = document;
    if (call !== undefined && call.length + requests.length <= limits.batchItemsMax) {
      call.push(...requests);
    } else calls.push([...requests]);
  }
  return calls;
}

/** Replies in order; a call that fails as a whole fails each of its requests. */
async function submitInOrder(
  api: NodeApi,
  documents: readonly Prepared[],
  identity: Identity,
): Promise<SubmitReply[]> {
  const replies: SubmitReply[] = [];
  for (const part of inCalls(documents)) {
    try {
      replies.push(...(await api.submit(part, identity)));
    } catch (error) {
      const problem = problemOfError(error);
      if (problem === undefined) throw error;
      const { code, detail, retryAfterMs } = problem;
      for (const { id } of part) {
        replies.push({ ok: false, id, code, message: detail, retryAfterMs });
      }
    }
  }
  return replies;
}

/**
 * Submits prepared documents, results in their order. Together they may make at most
 * `limits.arrayMax` tasks; what is over is refused with `tooLarge`.
 */
export async function submitPrepared(
  api: NodeApi,
  documents: readonly Prepared[],
  identity: Identity,
): Promise<SubmitResult[]> {
  let total = 0;
  const bounded = documents.map((prepared): Prepared => {
    if (!prepared.ok) return prepared;
    if (total + prepared.requests.length > limits.arrayMax) {
      const detail = `One request may make at most ${limits.arrayMax} tasks.`;
      return { ok: false, problem: problemOf('tooLarge', detail) };
    }
    total += prepared.requests.length;
    return prepared;
  });
  const replies = await submitInOrder(api, bounded, identity);
  let from = 0;
  return bounded.map(prepared => {
    const count = prepared.ok ? prepared.requests.length : 0;
    from += count;
    return resultOf(prepared, replies.slice(from - count, from));
  });
}
