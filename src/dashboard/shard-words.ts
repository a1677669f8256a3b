/** What there is to say about a shard, in one line. */
import type { ShardSummary } from '../ports/node-api.ts';
import { count } from './format.ts';
import { oneLine } from './text.ts';

const stateWords: Record<ShardSummary['state'], string> = {
  ok: 'replicated as it should be',
  growing: 'its replicas are being changed',
  underReplicated: 'a replica lags or is gone',
  noLeader: 'no leader: nothing can be decided',
};

/** The node marks with `!` a seat whose node is not connected. */
const seat = (name: string): string => {
  const shown = oneLine(name.replace(/!$/, ''));
  return name.endsWith('!') ? `${shown} (not connected)` : shown;
};

export function shardWords(shard: ShardSummary): string {
  const led = shard.leader === undefined ? 'not led' : `led by ${oneLine(shard.leader)}`;
  const learners =
    shard.learners.length === 0 ? '' : `, learners ${shard.learners.map(seat).join(', ')}`;
  const tasks =
    shard.state === 'noLeader'
      ? 'tasks not known'
      : [
          `${count(shard.waiting)} waiting`,
          `${count(shard.running)} running`,
          `${count(shard.settled)} settled`,
        ].join(', ');
  const voters = shard.voters.map(seat).join(', ');
  const state = `Shard ${shard.shard}, ${led}: ${stateWords[shard.state]}.`;
  return `${state} Voters ${voters}${learners}; ${tasks}.`;
}
