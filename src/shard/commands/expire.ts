/**
 * expire: settled tasks leave the history. Nothing of them remains but that no unknown ID from
 * their time is admitted any more (see `submit`).
 *
 * Items    a settled task, with what its stored row says of it and memory does not keep: state,
 *          spec digest, hash of its idempotency key. The leader reads them from the row itself;
 *          27 bits of the digest are checked.
 * Replies  ok
 *          ok, repeated      nobody knows the task: it expired before
 *          notSettled        it may still run, or its workflow does
 *          badRequest        it is younger than any history, or what is said of it is wrong
 * Effects  none: nobody waits for it
 *
 * Which tasks, and when, is the leader's choice by the settings of the cluster. Apply only holds
 * what must never happen: that an unsettled or a young task goes.
 */
import type { ExpireItem, ItemReply, ShardCommand } from '../../model/command.ts';
import { timeOfId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { isSettled, taskStates } from '../../model/task.ts';
import { digestHex, digestWords } from '../keys.ts';
import { idWordCount } from '../memory/id-words.ts';
import { lookup, type ShardState } from '../state.ts';
import { accept, refuse, type Turn } from '../turn.ts';

type Expire = ShardCommand & { readonly kind: 'expire' };

export const applyExpire = ({ state }: Turn, command: Expire): ItemReply[] =>
  command.items.map(item => expireOne(state, item));

function expireOne(state: ShardState, item: ExpireItem): ItemReply {
  const { taskId } = item;
  const found = state.lookUp(taskId);
  if (found === lookup.malformed) return refuse(taskId, 'badRequest', 'not a task ID');
  if (found === lookup.unknown) return accept(taskId, true);
  if (found !== lookup.settled) return refuse(taskId, 'notSettled', 'the task has not settled');
  if (state.workflows.of(taskId)?.workflow.settledAtMs === 0) {
    return refuse(taskId, 'notSettled', 'its workflow has not settled');
  }
  if (timeOfId(taskId) > state.nowMs - limits.historyMsMin) {
    return refuse(taskId, 'badRequest', 'the task is too young to leave the history');
  }
  const digest = digestWords(item.digest);
  const known =
    isSettled(item.state) &&
    state.counts[taskStates.indexOf(item.state)]! > 0 &&
    state.settled.matches(state.words, digest[0]!);
  if (!known) return refuse(taskId, 'badRequest', 'that is not what is known of the task');
  forget(state, item, digest);
  return accept(taskId);
}

/** Of the settled task that `lookUp` found last nothing remains: no row, no ID, no key. */
function forget(state: ShardState, item: ExpireItem, digest: Uint32Array): void {
  const { words, specs } = state;
  const row = state.table.find(words);
  if (row >= 0) state.forget(row);
  state.settled.remove(words);
  if (state.deadLetters.has(words)) state.deadLetters.remove(words);
  if (item.keyHash) state.keys.remove(item.keyHash.high, item.keyHash.low, words);
  state.counts[taskStates.indexOf(item.state)]!--;
  state.flush.dropTask(words);
  if (state.settledSpecs.remove(digest)) dropUnusedSpec(state, item, specs.find(digest));
  const member = state.workflows.of(item.taskId);
  if (member !== undefined) state.workflows.expired(member.workflow);
  state.countExpired(timeOfId(item.taskId));
  for (let word = 0; word < idWordCount; word++) state.fold(words[word]!);
}

/** No settled task has the spec any more; its row goes unless an unsettled one does. */
function dropUnusedSpec({ specs, flush }: ShardState, item: ExpireItem, spec: number): void {
  if (spec >= 0 && specs.uses(spec) > 0) return;
  flush.dropSpec(digestHex(item.digest), spec);
  if (spec >= 0) specs.drop(spec);
}
