import { expect, test } from 'vitest';
import type {
  ClusterState,
  MovesRow,
  NodeCard,
  ShardRow,
  TaskExplanation,
  TaskPage,
} from '../../../cli/wire.ts';
import { listIn } from '../../../cli/wire-lists.ts';
import type {
  ClusterHealth,
  Explanation,
  ListPage,
  NodeDetail,
  ShardMoves,
  ShardSummary,
} from '../../../src/ports/node-api.ts';

// What nodes send must be what the command line prints: these lines do not compile otherwise.
const shapes = {
  page: (sent: ListPage): TaskPage => sent,
  node: (sent: NodeDetail): NodeCard => sent,
  shard: (sent: ShardSummary): ShardRow => sent,
  moves: (sent: ShardMoves): MovesRow => sent,
  cluster: (sent: ClusterHealth): ClusterState => sent,
  explanation: (sent: Explanation): TaskExplanation => sent,
};

test('a list is read by itself and as a field, anything else is no list', () => {
  expect(Object.keys(shapes)).toHaveLength(6);
  expect(listIn([1], 'nodes')).toEqual([1]);
  expect(listIn({ nodes: [2] }, 'nodes')).toEqual([2]);
  for (const body of [undefined, null, 'x', {}, { nodes: 1 }]) {
    expect(listIn(body, 'nodes')).toEqual([]);
  }
});
