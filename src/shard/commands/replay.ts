/**
 * replay: a new task in place of a dead letter. Once per dead letter: with the new task it is none
 * any more.
 *
 * Items    as for submit; `retryOf` is the dead letter.
 * Replies  as for submit, and
 *          notDeadLetter     it settled otherwise, or was replayed or purged before
 *          notSettled, unknownTask
 *          badRequest        it names no task, or one of a gang
 * Effects  readyChanged
 */
import type { ItemReply, ShardCommand, SubmitItem } from '../../model/command.ts';
import { lookup } from '../state.ts';
import { refuse, refuseMissing, type Turn } from '../turn.ts';
import { type PreparedSpec, submitOne } from './submit.ts';

type Replay = ShardCommand & { readonly kind: 'replay' };

export function applyReplay(
  turn: Turn,
  command: Replay,
  specs: readonly PreparedSpec[],
): ItemReply[] {
  const replies = command.items.map(item => replayOne(turn, item, specs[item.spec]));
  for (const spec of specs) turn.state.specs.dropUnusedTraits(spec.traits);
  return replies;
}

function replayOne(turn: Turn, item: SubmitItem, spec: PreparedSpec | undefined): ItemReply {
  const { state } = turn;
  const { id, retryOf } = item;
  if (retryOf === undefined) return refuse(id, 'badRequest', 'it says no dead letter');
  // A repeat of a replay that was taken is answered as one of a submit.
  if (state.lookUp(id) !== lookup.unknown) return submitOne(turn, item, spec);
  const found = state.lookUp(retryOf);
  if (found >= 0) return refuse(id, 'notSettled', `task ${retryOf} has not settled`);
  if (found !== lookup.settled) return refuseMissing(id, found);
  if (!state.deadLetters.has(state.words)) {
    return refuse(id, 'notDeadLetter', `task ${retryOf} is no dead letter`);
  }
  if (spec?.traits.demand.gang !== undefined) {
    const why = `task ${retryOf} is one of a gang, which runs together or not at all`;
    return refuse(id, 'badRequest', `${why}: submit the gang again`);
  }
  const reply = submitOne(turn, item, spec);
  if (!reply.ok || reply.repeated) return reply;
  state.lookUp(retryOf);
  state.deadLetters.remove(state.words);
  return reply;
}
