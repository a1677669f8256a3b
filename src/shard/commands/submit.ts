/**
 * submit: takes tasks into the shard.
 *
 * Items    an ID drawn once by whoever submits, the position of its spec in the command, and what
 *          it retries or which array it is part of. The tasks of a gang stand one after the other
 *          by their ranks, and are taken together or not at all.
 * Replies  ok                the task waits now
 *          ok, repeated      the ID, or the spec's idempotency key, has a task with the same spec;
 *          the
 *                            reply names that task
 *          idTaken           the ID has a task with another spec
 *          idExpired         an ID that nobody knows, from before the newest task that expired: it
 *                            may be that of a task that ran and left the history
 *          keyConflict       the key has a task with another spec
 *          badId             not an ID, or not in the slot of the spec's key
 *          badSpec           no such spec in the command, or not a whole gang
 *          tooManyTasks      as many tasks wait as may, in the shard or in the line of its key
 *          overloaded        it waits for others, and too many messages are under way already
 * Effects  readyChanged; messagesChanged where it waits for others
 *
 * What is settled is compared by 27 bits of its spec's digest, what is not by all of it; on every
 * replica alike, whether the settled row has left memory there or not.
 */
import { assert } from '../../model/assert.ts';
import type { ItemReply, ShardCommand, SubmitItem } from '../../model/command.ts';
import { slotOfId, timeOfId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { decodeSpecTerms } from '../../model/spec.ts';
import type { SpecEntry } from '../../model/spec-entry.ts';
import { holdBit } from '../../model/task.ts';
import { digestWords } from '../keys.ts';
import { idWordCount, unpackId } from '../memory/id-words.ts';
import { type KeyHash, keyOf, type LineKey, lineOf } from '../memory/key-hash.ts';
import type { FiringOf } from '../memory/task-detail.ts';
import { stateCode } from '../memory/task-table.ts';
import type { Traits } from '../memory/traits.ts';
import { lookup, type ShardState } from '../state.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { awaitParents } from './dependents.ts';

type Submit = ShardCommand & { readonly kind: 'submit' };

/** A spec of the command, understood before anything changes. */
export interface PreparedSpec {
  readonly digest: Uint32Array;
  readonly bytes: Uint8Array;
  readonly traits: Traits;
  readonly key: KeyHash | undefined;
  readonly line: LineKey | undefined;
}

/**
 * Understands the specs of a command. Throws `DecodeError` for one written by a newer version,
 * while the state is still as it was.
 */
export function prepareSpecs(state: ShardState, specs: readonly SpecEntry[]): PreparedSpec[] {
  return specs.map(({ digest, bytes }) => prepareSpec(state, digest, bytes));
}

export function prepareSpec(
  state: ShardState,
  digestBytes: Uint8Array,
  bytes: Uint8Array,
): PreparedSpec {
  const digest = digestWords(digestBytes);
  const known = state.specs.find(digest);
  if (known >= 0) {
    const { specs } = state;
    const [traits, key, line] = [specs.traits(known), specs.key(known), specs.line(known)];
    return { digest, bytes, traits, key, line };
  }
  const spec = decodeSpecTerms(bytes);
  const traits = state.specs.internTraits(spec);
  return { digest, bytes, traits, key: keyOf(spec), line: lineOf(spec) };
}

export function applySubmit(
  turn: Turn,
  command: Submit,
  specs: readonly PreparedSpec[],
): ItemReply[] {
  const replies: ItemReply[] = [];
  const { items } = command;
  while (replies.length < items.length) {
    const item = items[replies.length]!;
    const spec = specs[item.spec];
    const gang = spec?.traits.demand.gang;
    if (spec === undefined || gang === undefined) replies.push(submitOne(turn, item, spec));
    else replies.push(...submitGang(turn, gangAt(items, replies.length, gang), spec, gang));
  }
  for (const spec of specs) turn.state.specs.dropUnusedTraits(spec.traits);
  return replies;
}

/**
 * The items from `start` on that are submitted as one gang: as many as it has, if all are there.
 */
function gangAt(items: readonly SubmitItem[], start: number, size: number): readonly SubmitItem[] {
  const first = items[start]!;
  const isNext = (item: SubmitItem | undefined, rank: number): boolean =>
    item?.spec === first.spec && item.arrayId === first.arrayId && item.arrayIndex === rank;
  let count = 0;
  while (count < size && isNext(items[start + count], count)) count++;
  return items.slice(start, start + Math.max(1, count));
}

/** Takes all tasks of a gang, or none of them. */
function submitGang(
  turn: Turn,
  items: readonly SubmitItem[],
  spec: PreparedSpec,
  size: number,
): ItemReply[] {
  const { state } = turn;
  const isDistinct = new Set(items.map(item => item.id)).size === size;
  const whole = isDistinct && items.length === size && size >= 2 && size <= limits.gangMax;
  const isAlone =
    spec.key === undefined && spec.line === undefined && spec.traits.after.length === 0;
  if (!whole || items[0]?.arrayId === undefined || !isAlone) {
    const why =
      'a gang is submitted as a whole, without an idempotency key, an order key, maxRunningPer ' +
      'or tasks that it waits for';
    return items.map(item => refuse(item.id, 'badSpec', why));
  }
  const known = items.some(item => state.lookUp(item.id) >= lookup.settled);
  const objections = items.map(item => objectionTo(state, item, spec, size));
  if (known || objections.some(objection => objection !== undefined)) {
    const why = 'other tasks of its gang are known already, or were refused';
    return items.map((item, place) => objections[place] ?? refuse(item.id, 'idTaken', why));
  }
  const taken = takeSpec(state, spec);
  for (const item of items) {
    state.lookUp(item.id);
    state.gangs.add(state.admit(item, taken, holdBit('gang')));
  }
  state.lookUp(items[0].id);
  state.gangs.changed(state.table.find(state.words));
  turn.readyChanged = true;
  return items.map(item => accept(item.id));
}

/** The reply that is due before a task is admitted, with `count` of its kind; none if it may be. */
function objectionTo(
  state: ShardState,
  item: SubmitItem,
  spec: PreparedSpec,
  count: number,
): ItemReply | undefined {
  const found = state.lookUp(item.id);
  if (found === lookup.malformed) return refuse(item.id, 'badId', 'not a task ID');
  if (found !== lookup.unknown) {
    return isSameSpec(state, found, spec)
      ? accept(item.id, true)
      : refuse(item.id, 'idTaken', 'the ID has a task with another specification');
  }
  const slot = (spec.line ?? spec.key)?.slot;
  if (slot !== undefined && slotOfId(item.id) !== slot) {
    const what = spec.line === undefined ? 'idempotency key' : 'order key, or key of maxRunningPer';
    return refuse(item.id, 'badId', `the ID is not in the slot of the task's ${what}`);
  }
  if (spec.key !== undefined) {
    const repeat = findByKey(state, item, spec, spec.key);
    if (repeat !== undefined) return repeat;
  }
  if (timeOfId(item.id) <= state.expired.toMs) {
    return refuse(
      item.id,
      'idExpired',
      'the shard keeps no history of the time in the ID any more',
    );
  }
  if (state.counts[stateCode.waiting]! + count > limits.waitingPerShardMax) {
    return refuse(item.id, 'tooManyTasks', `${limits.waitingPerShardMax} tasks wait already`);
  }
  if (spec.line !== undefined && state.lines.length(spec.line.hash) >= limits.lineMax) {
    const message = `${limits.lineMax} tasks with its key have not settled yet`;
    return refuse(item.id, 'tooManyTasks', message);
  }
  const { after } = spec.traits;
  if (after.includes(item.id)) return refuse(item.id, 'badSpec', 'the task waits for itself');
  if (after.length > 0 && state.mail.size + after.length > limits.outboxMax) {
    return refuse(item.id, 'overloaded', 'too many messages wait for other shards');
  }
  return undefined;
}

/** Takes one task in, or says why not; `firing` says which schedule makes it. */
export function submitOne(
  turn: Turn,
  item: SubmitItem,
  spec: PreparedSpec | undefined,
  firing?: FiringOf,
): ItemReply {
  const { state } = turn;
  if (spec === undefined) return refuse(item.id, 'badSpec', 'the command has no such spec');
  const objection = objectionTo(state, item, spec, 1);
  if (objection !== undefined) return objection;
  const { after } = spec.traits;
  if (spec.key !== undefined) {
    state.lookUp(item.id);
    state.keys.add(spec.key.high, spec.key.low, state.words);
  }
  const holds = after.length > 0 ? holdBit('dependency') : 0;
  const row = state.admit(item, takeSpec(state, spec), holds);
  if (after.length > 0) awaitParents(turn, row, 0);
  if (firing !== undefined) {
    state.table.ensureDetail(row).firing = firing;
    state.note('fired', row);
  }
  turn.readyChanged = true;
  return accept(item.id);
}

/** Whether the known task at `found`, its words in `state.words`, was submitted with this spec. */
function isSameSpec(state: ShardState, found: number, spec: PreparedSpec): boolean {
  return found === lookup.settled
    ? state.settled.matches(state.words, spec.digest[0]!)
    : state.specs.hasDigest(state.table.spec(found), spec.digest);
}

/** The reply for an item whose key has a task already. */
function findByKey(
  state: ShardState,
  item: SubmitItem,
  spec: PreparedSpec,
  key: KeyHash,
): ItemReply | undefined {
  const words = new Uint32Array(idWordCount);
  if (!state.keys.find(key.high, key.low, words)) return undefined;
  const owner = unpackId(words[0]!, words[1]!, words[2]!, words[3]!);
  const found = state.lookUp(owner);
  assert(found >= 0 || found === lookup.settled, 'a key belongs to a task that the shard has');
  return isSameSpec(state, found, spec)
    ? accept(owner, true)
    : refuse(item.id, 'keyConflict', `task ${owner} has the key, with another specification`);
}

export function takeSpec(state: ShardState, spec: PreparedSpec): number {
  const known = state.specs.find(spec.digest);
  if (known >= 0) return known;
  const added = state.specs.add(spec.digest, spec.traits, spec, spec.bytes);
  state.flush.markSpec(added, spec.bytes.length);
  return added;
}
