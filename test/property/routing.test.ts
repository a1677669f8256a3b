/** What holds of the target placement of any cluster, while it grows, shrinks and moves. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GroupId, registryGroup } from '../../src/model/ids.ts';
import type { Target } from '../../src/routing/rendezvous.ts';
import type { GroupSeats, PlacementNode } from '../../src/routing/seating.ts';
import { type RegistryView, targetPlacement } from '../../src/routing/target-placement.ts';

const node = (position: number, changes: Partial<PlacementNode> = {}): PlacementNode => ({
  id: `12D3KooW${String(position * 7919).padStart(6, '0')}`,
  weight: 100,
  zone: '',
  eligible: true,
  ...changes,
});

const nodesOf = (count: number): PlacementNode[] =>
  Array.from({ length: count }, (_, position) => node(position));

/** A cluster as `cluster init` made it: everything on the first node. */
const fresh = (nodes: readonly PlacementNode[], shards: number, replication: number) => ({
  nodes,
  replication,
  groups: Array.from({ length: shards + 1 }, (_, group) => ({
    group,
    voters: [nodes[0]?.id ?? ''],
    learners: [],
  })),
});

const carriedOut = (
  groups: readonly GroupSeats[],
  targets: ReadonlyMap<GroupId, Target>,
  when: (group: GroupId) => boolean = () => true,
): GroupSeats[] =>
  groups.map(seats => {
    const target = targets.get(seats.group);
    return target !== undefined && when(seats.group) ? { group: seats.group, ...target } : seats;
  });

/** The cluster with its target carried out. */
const settled = (view: RegistryView): RegistryView => ({
  ...view,
  groups: carriedOut(view.groups, targetPlacement(view)),
});

const seatsOf = (target: { voters: readonly string[]; learners: readonly string[] }): string[] => [
  ...target.voters,
  ...target.learners,
];

const loads = (groups: readonly GroupSeats[]): Map<string, number> => {
  const load = new Map<string, number>();
  for (const seats of groups) {
    if (seats.group === registryGroup) continue;
    for (const id of seatsOf(seats)) load.set(id, (load.get(id) ?? 0) + 1);
  }
  return load;
};

/** Seats of shards that are in `after` and not in `before`. */
function moved(before: readonly GroupSeats[], after: ReadonlyMap<GroupId, Target>): number {
  let count = 0;
  for (const seats of before) {
    const target = after.get(seats.group);
    if (target === undefined || seats.group === registryGroup) continue;
    const had = seatsOf(seats);
    count += seatsOf(target).filter(id => !had.includes(id)).length;
  }
  return count;
}

const arbitraryNode = (position: number): fc.Arbitrary<PlacementNode> =>
  fc
    .record({
      weight: fc.constantFrom(0, 50, 100, 100, 300),
      zone: fc.constantFrom('', 'x', 'y', 'z'),
      standing: fc.constantFrom('up', 'up', 'up', 'lost', 'leaving'),
    })
    .map(({ standing, ...changes }) =>
      node(position, { ...changes, eligible: standing === 'up', lost: standing === 'lost' }),
    );

/** Any registry at all: seats anywhere, on nodes of any kind. */
const arbitraryView: fc.Arbitrary<RegistryView> = fc
  .integer({ min: 1, max: 9 })
  .chain(count =>
    fc.record({
      nodes: fc.tuple(...Array.from({ length: count }, (_, position) => arbitraryNode(position))),
      replication: fc.constantFrom(1, 3, 5),
      seats: fc.array(
        fc.record({
          members: fc.uniqueArray(fc.nat(count - 1), { minLength: 1, maxLength: 5 }),
          voters: fc.integer({ min: 1, max: 5 }),
        }),
        { minLength: 2, maxLength: 33 },
      ),
    }),
  )
  .map(({ nodes, replication, seats }) => ({
    nodes,
    replication,
    groups: seats.map(({ members, voters }, group) => {
      const ids = members.map(position => node(position).id);
      return { group, voters: ids.slice(0, voters), learners: ids.slice(voters) };
    }),
  }));

describe('the target of any registry', () => {
  test('has an odd number of voters, each once, on nodes that are up or lost', () => {
    fc.assert(
      fc.property(arbitraryView, view => {
        for (const [group, target] of targetPlacement(view)) {
          const seats = seatsOf(target);
          expect(new Set(seats).size).toBe(seats.length);
          const known = view.groups.find(groupSeats => groupSeats.group === group);
          for (const id of seats) {
            const holder = view.nodes.find(other => other.id === id);
            const waits = holder?.lost === true && known?.voters.includes(id) === true;
            expect(holder !== undefined && holder.weight > 0).toBe(true);
            expect(holder?.eligible === true || waits).toBe(true);
          }
          if (view.nodes.some(other => other.eligible && other.weight > 0)) {
            expect(target.voters.length % 2).toBe(1);
          }
        }
      }),
    );
  });

  test('does not depend on the order in which nodes and groups are listed', () => {
    fc.assert(
      fc.property(arbitraryView, fc.infiniteStream(fc.nat()), (view, keys) => {
        const shuffled = <T>(values: readonly T[]): T[] =>
          values
            .map(value => ({ value, key: keys.next().value ?? 0 }))
            .sort((left, right) => left.key - right.key)
            .map(({ value }) => value);
        const other = { ...view, nodes: shuffled(view.nodes), groups: shuffled(view.groups) };
        expect(targetPlacement(other)).toEqual(targetPlacement(view));
      }),
    );
  });

  test('is the same again once it is carried out', () => {
    fc.assert(
      fc.property(arbitraryView, view => {
        const targets = targetPlacement(view);
        const next = { ...view, groups: carriedOut(view.groups, targets) };
        expect(targetPlacement(next)).toEqual(targets);
      }),
    );
  });
});

const sizes = fc.record({
  count: fc.integer({ min: 4, max: 24 }),
  shards: fc.constantFrom(16, 64, 128),
});

describe('a settled cluster', () => {
  test('has on every node its share by weight, 15 % and one more at most', () => {
    const weights = fc.array(fc.constantFrom(50, 100, 150), { minLength: 6, maxLength: 20 });
    fc.assert(
      fc.property(weights, fc.constantFrom(16, 64, 128), (given, shards) => {
        const nodes = given.map((weight, position) => node(position, { weight }));
        const view = settled(fresh(nodes, shards, 3));
        const sum = given.reduce((left, right) => left + right, 0);
        const load = loads(view.groups);
        for (const { id, weight } of nodes) {
          const share = (shards * 3 * weight) / sum;
          const cap = Math.min(shards, Math.ceil(1.15 * share) + 1);
          expect(load.get(id) ?? 0).toBeLessThanOrEqual(cap);
        }
      }),
    );
  });

  test('gives a new node about one share, and moves hardly anything else', () => {
    fc.assert(
      fc.property(sizes, ({ count, shards }) => {
        const before = settled(fresh(nodesOf(count), shards, 3));
        const joined = { ...before, nodes: nodesOf(count + 1) };
        const targets = targetPlacement(joined);
        const newcomer = node(count).id;
        const share = (shards * 3) / (count + 1);
        const received = loads(carriedOut(before.groups, targets)).get(newcomer) ?? 0;
        const elsewhere = moved(before.groups, targets) - received;
        expect(elsewhere).toBeLessThanOrEqual(Math.ceil(0.1 * share));
        expect(received).toBeLessThanOrEqual(Math.ceil(1.15 * share) + 1);
        expect(received).toBeGreaterThanOrEqual(Math.floor(0.85 * share) - 1);
      }),
    );
  });

  test('that loses a node moves the seats of that node and few others', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), ({ count, shards }, which) => {
        const before = settled(fresh(nodesOf(count), shards, 3));
        const gone = which % count;
        const nodes = nodesOf(count).map((other, position) =>
          position === gone ? { ...other, eligible: false, lost: true } : other,
        );
        const targets = targetPlacement({ ...before, nodes });
        const had = loads(before.groups).get(node(gone).id) ?? 0;
        const moves = moved(before.groups, targets);
        expect(moves).toBeGreaterThanOrEqual(had);
        expect(moves).toBeLessThanOrEqual(had + count);
        for (const target of targets.values()) {
          if (count > 5) expect(seatsOf(target)).not.toContain(node(gone).id);
        }
      }),
    );
  });

  test('spreads every group over three zones where there are three alike', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.constantFrom(16, 64), (each, shards) => {
        const nodes = nodesOf(each * 3).map((other, position) => ({
          ...other,
          zone: 'xyz'[position % 3] ?? '',
        }));
        const zoneOf = new Map(nodes.map(({ id, zone }) => [id, zone]));
        for (const target of targetPlacement(fresh(nodes, shards, 3)).values()) {
          expect(new Set(target.voters.map(id => zoneOf.get(id))).size).toBe(3);
        }
      }),
    );
  });

  test('keeps every group in three zones when a node is added to one of them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), fc.constantFrom(16, 64), (each, shards) => {
        const zoned = (count: number): PlacementNode[] =>
          nodesOf(count).map((other, position) => ({ ...other, zone: 'xyz'[position % 3] ?? '' }));
        const before = settled(fresh(zoned(each * 3), shards, 3));
        const nodes = zoned(each * 3 + 1);
        const zoneOf = new Map(nodes.map(({ id, zone }) => [id, zone]));
        const targets = targetPlacement({ ...before, nodes });
        for (const [group, { voters }] of targets) {
          if (group !== registryGroup)
            expect(new Set(voters.map(id => zoneOf.get(id))).size).toBe(3);
        }
        const received = loads(carriedOut(before.groups, targets)).get(node(each * 3).id) ?? 0;
        expect(received).toBeGreaterThan(0);
        const elsewhere = moved(before.groups, targets) - received;
        expect(elsewhere).toBeLessThanOrEqual(shards / 4);
      }),
    );
  });
});

describe('a change that is carried out group by group', () => {
  test('comes to rest at a target, at hardly more moves than at once', () => {
    const change = fc.record({
      from: fc.integer({ min: 3, max: 10 }),
      to: fc.integer({ min: 3, max: 12 }),
      shards: fc.constantFrom(16, 64),
    });
    fc.assert(
      fc.property(change, fc.infiniteStream(fc.nat(3)), ({ from, to, shards }, dice) => {
        const start = settled(fresh(nodesOf(from), shards, 3));
        const nodes = nodesOf(Math.max(from, to)).map((other, position) =>
          position < to ? other : { ...other, eligible: false },
        );
        let view: RegistryView = { ...start, nodes };
        const atOnce = moved(view.groups, targetPlacement(view));
        let moves = 0;
        for (let round = 0; round < 200; round++) {
          const targets = targetPlacement(view);
          const groups = carriedOut(view.groups, targets, () => dice.next().value === 0);
          moves += moved(
            view.groups,
            new Map(
              groups.map(seats => [
                seats.group,
                {
                  voters: [...seats.voters],
                  learners: [...seats.learners],
                },
              ]),
            ),
          );
          view = { ...view, groups };
          if (moved(groups, targetPlacement(view)) === 0) break;
        }
        expect(moved(view.groups, targetPlacement(view))).toBe(0);
        expect(moves).toBeLessThanOrEqual(Math.ceil(atOnce * 1.2) + 4);
      }),
    );
  });
});
