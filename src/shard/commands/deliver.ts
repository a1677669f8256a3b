/**
 * deliver: messages of another shard, or of this one to itself, the oldest that it has for this
 * one, by ascending number. Each is taken once: those up to the newest number taken of that shard
 * came before.
 *
 * Items    number, message; of an `await` for a task that has settled, how it ended. That is read
 *          from its row by the leader, for memory does not keep it.
 * Replies  ok
 *          ok, repeated      it was taken before
 *          alreadySettled    an `await` for a task that settled while the command was on its way:
 *                            it, and all behind it, is not taken, and comes again with its end
 * Effects  readyChanged, settled, messagesChanged
 */
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { TaskId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { type Delivery, subjectOf } from '../../model/message.ts';
import { lookup } from '../state.ts';
import { accept, refuse, type Turn } from '../turn.ts';
import { decide, tellDependents } from './dependents.ts';

type Deliver = ShardCommand & { readonly kind: 'deliver' };

export function applyDeliver(turn: Turn, { source, items }: Deliver): ItemReply[] {
  const { mail } = turn.state;
  let isStopped = false;
  return items.map(item => {
    const about = subjectOf(item.message);
    if (item.sequence <= mail.taken(source)) return accept(about, true);
    isStopped ||= !take(turn, item);
    if (isStopped) return refuse(about, 'alreadySettled', 'it settled meanwhile');
    mail.take(source, item.sequence);
    return accept(about);
  });
}

/** False where the message has to come again. */
function take(turn: Turn, { message, settled }: Delivery): boolean {
  const { state } = turn;
  if (message.kind === 'ended') {
    for (const child of message.children) hear(turn, child, message);
    return true;
  }
  const { child, parent } = message;
  const found = state.lookUp(parent);
  if (found === lookup.settled) {
    if (settled === undefined) return false;
    tellDependents(turn, parent, settled, [child]);
    return true;
  }
  if (found < 0) {
    tellDependents(turn, parent, { end: 'unknown' }, [child]);
    return true;
  }
  const detail = state.table.ensureDetail(found);
  const dependents = (detail.dependents ??= new Set());
  if (dependents.size >= limits.dependentsMax && !dependents.has(child)) {
    tellDependents(turn, parent, { end: 'refused' }, [child]);
    return true;
  }
  dependents.add(child);
  state.flush.markTask(found, child.length);
  return true;
}

/** A task here hears how one of those ended that it waits for. */
function hear(
  turn: Turn,
  child: TaskId,
  { parent, end, output }: Delivery['message'] & { readonly kind: 'ended' },
): void {
  const { state } = turn;
  const row = state.lookUp(child);
  // It was cancelled, or another parent has decided.
  if (row < 0) return;
  const dependency = state.table.detail(row)?.dependency;
  if (dependency === undefined || !dependency.awaited.includes(parent)) return;
  dependency.awaited = dependency.awaited.filter(other => other !== parent);
  const held = dependency.inputs.reduce((sum, { text }) => sum + text.length, 0);
  if (output !== undefined && held + output.length <= limits.inputBytesMax) {
    dependency.inputs = [...dependency.inputs, { name: parent, text: output }];
    state.flush.markTask(row, output.length);
  }
  decide(turn, row, parent, end);
}
