/** Nodes of neighbouring versions together, and an entry that only a newer program can read. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeShardCommand } from '../../../src/model/command.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import { agreedVersion, readWireRange, type WireRange } from '../../../src/node/wire-version.ts';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

const present: WireRange = { version: 1, minVersion: 1 };
const next: WireRange = { version: 2, minVersion: 1 };
const afterNext: WireRange = { version: 3, minVersion: 2 };

const speaks = (node: TschedNode, to: string): number => node.context.peers.wireVersion(to);

async function allSettle(world: SmallWorld, nodes: readonly TschedNode[]): Promise<void> {
  await world.until(() => nodes.every(node => node.ready), 30_000);
  for (const node of nodes) {
    const [id] = await submitted(world, node, [someSpec()]);
    for (const other of nodes) {
      expect(await world.within(other.api.get(id!))).toMatchObject({ id, stale: false });
    }
  }
}

describe('nodes of two versions', () => {
  test('that follow one another run together, and speak the newest that both read', async () => {
    const world = new SmallWorld({ shards: 2 });
    world.wireOf.set('n1', next).set('n2', present).set('n3', next);
    const nodes = await world.cluster(3);
    const [first, second, third] = nodes;
    await world.until(() => speaks(first!, 'n3') === 2 && speaks(third!, 'n1') === 2);
    expect([speaks(first!, 'n2'), speaks(second!, 'n1'), speaks(third!, 'n2')]).toEqual([1, 1, 1]);
    await allSettle(world, nodes);
    const { problems } = await world.within(second!.api.clusterHealth());
    expect(problems.join()).not.toContain('wire');
  });

  test('that have no version in common say so, and nothing is misread', async () => {
    const world = new SmallWorld({ shards: 1 });
    world.wireOf.set('n1', present).set('n2', present).set('n3', present);
    const nodes = await world.cluster(3);
    const [first, second, third] = nodes;
    await world.within(third!.stop({ endTasks: true, handOver: true }));
    const store = world.emptyDisk('n3');
    const strange = await world.boot(
      'n3',
      store,
      { secret: new Uint8Array(16), contacts: ['n1'] },
      {
        version: 9,
        minVersion: 9,
      },
    );
    await world.until(() => first!.context.peers.whyForeign('n3') !== undefined, 30_000);
    expect(strange.ready).toBe(false);
    const { problems } = await world.within(first!.api.clusterHealth());
    expect(problems.join()).toContain(
      'node n3 cannot be understood: it speaks wire version 9, this node 1 to 1',
    );
    await allSettle(world, [first!, second!]);
    expect(world.fatals).toEqual([]);
  });
});

test('two ranges agree on a version that both read, whichever asks', () => {
  const range = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 3 }))
    .map(([minVersion, more]): WireRange => ({ minVersion, version: minVersion + more }));
  fc.assert(
    fc.property(range, range, (left, right) => {
      const version = agreedVersion(left, right);
      expect(agreedVersion(right, left)).toBe(version);
      const both = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter(
        one =>
          one >= left.minVersion &&
          one >= right.minVersion &&
          one <= left.version &&
          one <= right.version,
      );
      expect(version).toBe(both.at(-1));
    }),
  );
  expect(agreedVersion(present, next)).toBe(1);
  expect(agreedVersion(next, afterNext)).toBe(2);
  expect(agreedVersion(present, afterNext)).toBeUndefined();
});

test.each([
  undefined,
  null,
  1,
  {},
  { version: 1 },
  { version: 1, minVersion: 2 },
  { version: 0.5, minVersion: 0.5 },
])('a hello of %j is none', told => {
  expect(readWireRange(told)).toBeUndefined();
});

test('a command of a newer program ends the node, and says what to do', async () => {
  const world = new SmallWorld({ shards: 1 });
  const [node] = await world.cluster(1);
  const newer = encodeShardCommand({
    kind: 'cancel',
    items: [],
    reason: '',
    atMs: 1,
    actor: { name: 'a', tenant: 't' },
  }).slice();
  // The kind follows the version of the format.
  newer[1] = 200;
  const replica = node!.loop.replica(1)!;
  const before = replica.machine.digest();
  const proposed = node!.loop.propose(replica, newer);
  await expect(world.within(proposed)).rejects.toMatchObject({ code: 'outcomeUnknown' });
  expect(world.fatals).toHaveLength(1);
  expect(world.fatals[0]).toMatchObject({
    code: 'programTooOld',
    message: expect.stringMatching(/^entry \d+ of group 1 cannot be read .*newer version$/),
  });
  expect(replica.machine.digest()).toBe(before);
});
