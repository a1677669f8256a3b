/** What `submit` prints once tasks are accepted. */
import { shortId } from '../../src/model/ids.ts';
import type { TaskState } from '../../src/model/task.ts';
import type { Submitted } from '../wire.ts';
import { boundText } from './age.ts';
import { paint, type Screen } from './screen.ts';
import { plural } from './text.ts';

function renderOne(reply: Submitted, screen: Screen): string {
  const id = paint(screen, 'bold', reply.id);
  const shard = reply.shard === undefined ? '' : `   shard ${reply.shard}`;
  const word = reply.repeated ? 'accepted before, the same task' : 'accepted';
  if (reply.ids !== undefined) {
    return `array ${id} ${word}: ${plural(reply.ids.length, 'task')}${shard}`;
  }
  return `task ${id} ${word}${shard}`;
}

/** `3 tasks: 2 succeeded, 1 failed`. */
export function renderEnds(tasks: readonly { readonly state: TaskState }[]): string {
  const counts = new Map<TaskState, number>();
  for (const { state } of tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
  const told = [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  return `${plural(tasks.length, 'task')}: ${told}`;
}

/** One line for one task with what to do next; the first `shownMax` lines for many. */
export function renderSubmitted(
  replies: readonly Submitted[],
  screen: Screen,
  shownMax: number,
): string {
  const [first] = replies;
  if (first === undefined) return '';
  if (replies.length > 1) {
    const lines = replies.slice(0, shownMax).map(reply => `  ${renderOne(reply, screen)}`);
    const more = replies.length - lines.length;
    if (more > 0) lines.push(`  and ${more} more; -q prints every ID`);
    return [`${plural(replies.length, 'task')} accepted`, ...lines].join('\n');
  }
  const short = shortId(first.ids?.[0] ?? first.id);
  const bound =
    first.startBoundMs === undefined
      ? ''
      : `\n  start by ${boundText(first.startBoundMs, screen.nowMs)}`;
  const hint = first.ids
    ? `tsched list · tsched status ${short}`
    : `tsched wait ${short} · tsched logs ${short} -f`;
  return `${renderOne(first, screen)}${bound}\n  ${paint(screen, 'dim', `try: ${hint}`)}`;
}
