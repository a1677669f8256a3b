/**
 * Whom a fault hits: a word in the scenario, and nodes once the fault begins. Leaders are those of
 * that moment; what is random is drawn from the seed.
 */
import type { Draw } from './draw.ts';

export type Target =
  | { readonly of: 'nodes'; readonly numbers: readonly number[] }
  | { readonly of: 'leader'; readonly shard?: number | undefined }
  | { readonly of: 'random'; readonly count: number }
  | { readonly of: 'minority' | 'majority' | 'all' };

export const targetGrammar =
  '`n2`, `n1,n3`, `leader`, `leader of 5`, `random`, `random 2`, `minority`, `majority` or `all`';

/** `undefined` where the text names nobody. */
export function parseTarget(text: string): Target | undefined {
  const words = text.trim().replace(/\s+/g, ' ');
  if (words === 'leader') return { of: 'leader' };
  if (words === 'minority' || words === 'majority' || words === 'all') return { of: words };
  const led = /^leader of (\d{1,4})$/.exec(words);
  if (led !== null) return { of: 'leader', shard: Number(led[1]) };
  const random = /^random(?: (\d{1,2}))?$/.exec(words);
  if (random !== null) return { of: 'random', count: Number(random[1] ?? 1) };
  if (!/^n\d{1,2}( ?, ?n\d{1,2})*$/.test(words)) return undefined;
  return { of: 'nodes', numbers: [...words.matchAll(/\d+/g)].map(match => Number(match[0])) };
}

/** As it is written in a scenario. */
export function tellTarget(target: Target): string {
  switch (target.of) {
    case 'nodes':
      return target.numbers.map(number => `n${number}`).join(',');
    case 'leader':
      return target.shard === undefined ? 'leader' : `leader of ${target.shard}`;
    case 'random':
      return target.count === 1 ? 'random' : `random ${target.count}`;
    default:
      return target.of;
  }
}

/** The cluster at one moment, nodes numbered from 1. */
export interface ClusterView {
  readonly nodes: number;
  /** Nodes that nothing is done to at present. */
  readonly whole: readonly number[];
  /** By shard, from 1: the number of the node that leads it. */
  readonly leaders: ReadonlyMap<number, number>;
}

/**
 * Largest number of nodes that is fewer than half of them. A shard has three replicas at most: of
 * five nodes, two that fail may be its majority.
 */
export const minorityOf = (nodes: number): number => Math.floor((nodes - 1) / 2);

/**
 * Numbers of the nodes to hit, in order. Random ones, minorities and majorities are drawn from
 * those that are whole; fewer are returned where there are not enough of them.
 */
export function chooseNodes(target: Target, view: ClusterView, draw: Draw): number[] {
  const some = (count: number): number[] => drawSome(view.whole, count, draw);
  switch (target.of) {
    case 'nodes':
      return target.numbers.filter(number => number <= view.nodes);
    case 'all':
      return Array.from({ length: view.nodes }, (_, place) => place + 1);
    case 'minority':
      return some(minorityOf(view.nodes));
    case 'majority':
      return some(view.nodes - minorityOf(view.nodes));
    case 'random':
      return some(target.count);
    case 'leader': {
      const leader =
        target.shard === undefined ? busiestLeader(view) : view.leaders.get(target.shard);
      return leader === undefined ? [] : [leader];
    }
  }
}

/** Who leads most shards; of several the first. */
function busiestLeader(view: ClusterView): number | undefined {
  const led = new Map<number, number>();
  for (const node of view.leaders.values()) led.set(node, (led.get(node) ?? 0) + 1);
  const ordered = [...led].sort(([left, many], [right, more]) => more - many || left - right);
  return ordered[0]?.[0];
}

function drawSome(from: readonly number[], count: number, draw: Draw): number[] {
  const left = [...from];
  const drawn: number[] = [];
  while (drawn.length < count && left.length > 0) drawn.push(...left.splice(draw(left.length), 1));
  return drawn.sort((one, other) => one - other);
}
