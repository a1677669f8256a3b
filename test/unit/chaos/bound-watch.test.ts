/** Hearing of missed bounds: from node to node, behind the last cursor, each word once. */
import { expect, onTestFinished, test } from 'vitest';
import { BoundWatch } from '../../../src/chaos/bound-watch.ts';
import type { EventsFrom } from '../../../src/chaos/calls.ts';
import type { Cluster } from '../../../src/chaos/cluster.ts';

type Stream = (cursor: string | undefined) => Response;

const event = (cursor: string, kind: string, taskId = 't1', atMs = 7): string =>
  `id: ${cursor}\ndata: ${JSON.stringify({ kind, taskId, atMs })}\n\n`;

const says = (...blocks: readonly string[]): Response => new Response(blocks.join(''));
const expired = (): Response => new Response('{}', { status: 410 });

/** Nodes that answer so, the last answer again and again; what was asked of each, in order. */
async function follow(...nodes: readonly (readonly Stream[])[]) {
  const asked: [node: number, cursor: string | undefined][] = [];
  const turns = nodes.map(() => 0);
  const cluster = {
    nodes: nodes.map((_, place) => ({ number: place + 1, awake: true })),
    retryEveryMs: 1,
    lookEveryMs: 1,
    events: async ({ number }: { number: number }, { cursor }: EventsFrom) => {
      asked.push([number, cursor]);
      const streams = nodes[number - 1]!;
      const turn = Math.min(turns[number - 1]!++, streams.length - 1);
      return streams[turn]!(cursor);
    },
  };
  const watch = new BoundWatch(cluster as unknown as Cluster);
  const { signal } = new AbortController();
  await watch.begin(1_000, signal);
  onTestFinished(() => watch.end());
  return { watch, asked, signal };
}

test('what was told is known with its time, and other events are not', async () => {
  const begun = says('retry: 1000\n\n', event('a', 'submitted'), event('b', 'boundMissed'));
  const { watch, signal } = await follow([() => begun, () => says(': still here\n\n')]);
  await watch.untilTold(['t1'], 1_000, signal);
  expect([[...watch.told], watch.whole]).toEqual([[['t1', [7]]], true]);
});

test('the next node goes on behind the last cursor, and nothing is lost', async () => {
  const { watch, asked, signal } = await follow(
    [() => says(event('a', 'started')), expired],
    [() => says(event('b', 'boundMissed', 't2'))],
  );
  await watch.untilTold(['t2'], 1_000, signal);
  expect(asked.slice(0, 2)).toEqual([
    [1, undefined],
    [2, 'a'],
  ]);
  expect(watch.whole).toBe(true);
});

test('a node that has lost what is behind the cursor is passed by', async () => {
  const { watch, signal } = await follow(
    [() => says(event('a', 'started')), expired],
    [() => says(), () => says(event('c', 'boundMissed', 't3'))],
  );
  await watch.untilTold(['t3'], 1_000, signal);
  expect([watch.told.has('t3'), watch.whole]).toEqual([true, true]);
});

test('where every node has lost it, not everything was heard', async () => {
  const { watch, signal } = await follow([
    () => says(event('a', 'started')),
    cursor => (cursor === undefined ? says(event('z', 'started')) : expired()),
  ]);
  await watch.untilTold(['nobody'], 1_000, signal);
  expect(watch.whole).toBe(false);
});

test('a connection that ended before it gave a cursor may have kept something back', async () => {
  const { watch, signal } = await follow([() => says()]);
  await watch.untilTold(['nobody'], 1_000, signal);
  expect(watch.whole).toBe(false);
});

test('a word that comes twice is heard twice', async () => {
  const twice = says(event('a', 'boundMissed'), event('b', 'boundMissed', 't1', 9));
  const { watch, signal } = await follow([() => twice, () => says(': still here\n\n')]);
  await watch.untilTold(['t1'], 1_000, signal);
  expect(watch.told.get('t1')).toEqual([7, 9]);
});
