/** The strip at the top: how many of what, and what is wrong, in sentences. */
import type { ClusterHealth, ShardSummary } from '../ports/node-api.ts';
import { byId, element, type Row, Rows, setClass, setText } from './dom.ts';
import { count } from './format.ts';
import { oneLine } from './text.ts';

const sum = (shards: readonly ShardSummary[], of: 'waiting' | 'running' | 'settled'): number =>
  shards.reduce((total, shard) => total + shard[of], 0);

const inState = (shards: readonly ShardSummary[], state: ShardSummary['state']): number =>
  shards.filter(shard => shard.state === state).length;

const sentenceRow = (): Row<string> => {
  const item = element('li');
  return { element: item, show: text => setText(item, text) };
};

/** A sentence of the node begins in lower case, for a terminal; here it stands alone. */
const sentence = (text: string): string => {
  const line = oneLine(text);
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.!?]$/.test(line) ? '' : '.'}`;
};

export class Overview {
  readonly #problems = byId('problems', HTMLElement);
  readonly #sentences: Rows<string>;

  constructor() {
    this.#problems.replaceChildren();
    this.#sentences = new Rows(this.#problems, text => text, sentenceRow);
  }

  showHealth(health: ClusterHealth): void {
    tile('tile-nodes', `${health.nodesUp} / ${health.nodes}`, health.nodesUp < health.nodes);
    const fine = 'Everything is replicated as it should be.';
    const problems = health.problems.map(sentence);
    setClass(this.#problems, health.ok ? 'problems' : 'problems wrong');
    this.#sentences.show(problems.length > 0 ? problems : [fine]);
  }

  showShards(shards: readonly ShardSummary[]): void {
    const ok = inState(shards, 'ok');
    const leaderless = inState(shards, 'noLeader');
    tile('tile-ok', `${ok} / ${shards.length}`, ok < shards.length);
    tile('tile-growing', String(inState(shards, 'growing')), false);
    tile('tile-leaderless', String(leaderless), leaderless > 0);
    // Nobody can count what is in a shard without a leader.
    const more = leaderless > 0 ? '+' : '';
    const none = leaderless === shards.length;
    for (const what of ['waiting', 'running', 'settled'] as const) {
      tile(`tile-${what}`, none ? '?' : `${count(sum(shards, what))}${more}`, false);
    }
  }
}

function tile(id: string, text: string, wrong: boolean): void {
  const target = byId(id, HTMLElement);
  setText(target, text);
  setClass(target, wrong ? 'wrong' : '');
}
