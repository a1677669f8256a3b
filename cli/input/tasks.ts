/**
 * From what was typed to the documents that are sent: each is validated here as the node will do
 * it, so that every mistake is told with its flag or its line before anything is submitted, and
 * gets an ID that stays the same over every repeat of the request.
 */
import { isMap } from '../../src/model/document.ts';
import { formatTaskId, type Slot, slotCount, type TaskId } from '../../src/model/ids.ts';
import { readSpecDocument } from '../../src/model/spec-document.ts';
import type { SpecProblem } from '../../src/model/spec-reading.ts';
import { unknownTiers } from '../../src/model/tiers.ts';
import { CliError, type PlacedProblem } from '../cli-error.ts';
import { flagOfPointer, overrideDocument, type TaskDocument } from './spec-flags.ts';
import type { TaskSource } from './task-file.ts';

/** A document ready to be sent. */
export interface PreparedTask {
  readonly document: TaskDocument;
  /** The ID in the document; none for a keyed task, whose key makes a repeat safe. */
  readonly id: string | undefined;
  readonly array: boolean;
  /** The node puts its ID into the slot of its line: the task's is another one. */
  readonly ordered: boolean;
}

/** What a task is made of, before flags and ID. */
export interface TaskInput {
  readonly value: unknown;
  readonly source?: TaskSource | undefined;
  /** As it is called in messages. */
  readonly file?: string | undefined;
}

const keyPart = (problem: SpecProblem): 'key' | 'value' =>
  problem.code === 'notYet' || problem.message.includes('unknown field') ? 'key' : 'value';

/** A problem with the flag or the place in the file that it is about. */
export function placeProblem(
  problem: SpecProblem,
  input: TaskInput,
  flags: TaskDocument,
  flagOf = flagOfPointer,
): PlacedProblem {
  const { pointer, message } = problem;
  const field = pointer.split('/')[1];
  if (field !== undefined && Object.hasOwn(flags, field)) {
    return { place: flagOf(pointer) ?? pointer, pointer, message };
  }
  const place = input.source?.locate(pointer, keyPart(problem));
  if (place !== undefined) return { ...place, pointer, message };
  return { place: flagOf(pointer) ?? pointer.slice(1), pointer, message };
}

/** Over this many problems in one file the rest is counted only. */
const problemsToldMax = 20;

/** The one error that tells all of them. */
export function refusal(
  found: readonly (PlacedProblem & { code: SpecProblem['code'] })[],
): CliError {
  const [first] = found;
  const code = found.every(problem => problem.code === first!.code) ? first!.code : 'badSpec';
  if (found.length === 1) {
    const { place, message, excerpt } = first!;
    const sentence = place === '' ? message : `${place}: ${message}`;
    const shown = excerpt === undefined ? [] : [{ place: '', message: '', excerpt }];
    return new CliError(code, sentence, { problems: shown, field: first!.pointer });
  }
  const told = found.slice(0, problemsToldMax).map(({ code: _code, ...problem }) => problem);
  const more = found.length - told.length;
  return new CliError(code, `${found.length} problems`, {
    problems: more > 0 ? [...told, { place: '', message: `and ${more} more` }] : told,
  });
}

/** Random bits from the system, for IDs nobody else draws. */
function drawRandom(): { slot: Slot; random: number } {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return { slot: words[0]! % slotCount, random: (words[1]! % 256) * 2 ** 32 + words[2]! };
}

/** Tasks that share a slot, so that a batch goes into few logs (DESIGN section 10). */
const tasksPerSlot = 100;

/** Draws IDs for keyless tasks; up to a hundred in a row share a slot. */
export function makeIdSource(nowMs: number): () => TaskId {
  let drawn = 0;
  let slot: Slot = 0;
  return () => {
    const next = drawRandom();
    if (drawn % tasksPerSlot === 0) slot = next.slot;
    drawn++;
    return formatTaskId({ atMs: nowMs, slot, random: next.random });
  };
}

/** The error that tells all problems of one document, each with its line or its flag. */
export const refusalOf = (problems: readonly SpecProblem[], input: TaskInput): CliError =>
  refusal(problems.map(problem => ({ ...placeProblem(problem, input, {}), code: problem.code })));

/** A document that a template makes the task of. */
function untilResolved(document: TaskDocument, drawId: () => TaskId): PreparedTask {
  const given = document['id'];
  const keyed = document['idempotencyKey'] !== undefined;
  const id = typeof given === 'string' ? given : keyed ? undefined : drawId();
  return {
    document: id === undefined ? document : { ...document, id },
    id,
    array: document['array'] !== undefined,
    // It may be: the template is not known here.
    ordered: true,
  };
}

/** Validates every input and gives IDs. Throws one error that tells all problems. */
export function prepareTasks(
  inputs: readonly TaskInput[],
  flags: TaskDocument,
  drawId: () => TaskId,
): PreparedTask[] {
  const found: (PlacedProblem & { code: SpecProblem['code'] })[] = [];
  const prepared: PreparedTask[] = [];
  for (const input of inputs) {
    const document = overrideDocument(input.value, flags);
    if (isMap(document) && document['template'] !== undefined) {
      // What it makes is known to the nodes; they tell what is wrong with it.
      prepared.push(untilResolved(document, drawId));
      continue;
    }
    // The node puts the tenant and the owner of the token in their place, and knows the tiers.
    const defaults = { tenant: 'default', owner: 'cli', tiers: unknownTiers };
    const reading = readSpecDocument(document, defaults);
    if (!reading.ok) {
      for (const problem of reading.problems) {
        found.push({ ...placeProblem(problem, input, flags), code: problem.code });
      }
      continue;
    }
    const keyed = reading.spec.idempotencyKey !== undefined;
    const id = reading.id ?? (keyed ? undefined : drawId());
    prepared.push({
      document: { ...(document as TaskDocument), ...(id === undefined ? {} : { id }) },
      id,
      array: reading.array !== undefined || reading.spec.gang !== undefined,
      ordered: reading.spec.orderKey !== undefined || reading.spec.maxRunningPer !== undefined,
    });
  }
  if (found.length > 0) throw refusal(found);
  return prepared;
}
