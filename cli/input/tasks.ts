/**
 * From what was typed to the documents that are sent: each is validated here as the node will do
 * it, so that every mistake is told with its flag or its line before anything is submitted, and
 * gets an ID that stays the same over every repeat of the request.
 */
import { isMap } from '../../src/model/document.ts';
import { formatTaskId, type Slot, slotCount, type TaskId } from '../../src/model/ids.ts';
import { readSpecDocument } from '../../src/model/spec-document.ts';
import { unknownTiers } from '../../src/model/tiers.ts';
import type { Placing } from '../refusal.ts';
import {
  type FlagOf,
  type Placed,
  placed,
  placingOf,
  refusalOf,
  type TaskInput,
} from './places.ts';
import { overrideDocument, type TaskDocument } from './spec-flags.ts';

/** A document ready to be sent. */
export interface PreparedTask {
  readonly document: TaskDocument;
  /** The ID in the document; none for a keyed task, whose key makes a repeat safe. */
  readonly id: string | undefined;
  readonly array: boolean;
  /** The node puts its ID into the slot of its line: the task's is another one. */
  readonly ordered: boolean;
  /** Where what a node finds wrong with it stands. */
  readonly place: Placing;
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

/** A document that a template makes the task of. */
function untilResolved(document: TaskDocument, place: Placing, drawId: () => TaskId): PreparedTask {
  const given = document['id'];
  const keyed = document['idempotencyKey'] !== undefined;
  const id = typeof given === 'string' ? given : keyed ? undefined : drawId();
  return {
    document: id === undefined ? document : { ...document, id },
    id,
    array: document['array'] !== undefined,
    // It may be: the template is not known here.
    ordered: true,
    place,
  };
}

/** Validates every input and gives IDs. Throws one error that tells all problems. */
export function prepareTasks(
  inputs: readonly TaskInput[],
  flags: TaskDocument,
  drawId: () => TaskId,
  flagOf?: FlagOf,
): PreparedTask[] {
  const found: Placed[] = [];
  const prepared: PreparedTask[] = [];
  for (const input of inputs) {
    const document = overrideDocument(input.value, flags);
    const place = placingOf(input, flags, flagOf);
    if (isMap(document) && document['template'] !== undefined) {
      // What it makes is known to the nodes; they tell what is wrong with it.
      prepared.push(untilResolved(document, place, drawId));
      continue;
    }
    // The node puts the tenant and the owner of the token in their place, and knows the tiers.
    const defaults = { tenant: 'default', owner: 'cli', tiers: unknownTiers };
    const reading = readSpecDocument(document, defaults);
    if (!reading.ok) {
      found.push(...placed(reading.problems, place));
      continue;
    }
    const keyed = reading.spec.idempotencyKey !== undefined;
    const id = reading.id ?? (keyed ? undefined : drawId());
    prepared.push({
      document: { ...(document as TaskDocument), ...(id === undefined ? {} : { id }) },
      id,
      array: reading.array !== undefined || reading.spec.gang !== undefined,
      ordered: reading.spec.orderKey !== undefined || reading.spec.maxRunningPer !== undefined,
      place,
    });
  }
  if (found.length > 0) throw refusalOf(found);
  return prepared;
}
