import { describe, expect, test } from 'vitest';
import { sizeFor } from '../../../src/model/replication.ts';
import { targetFor, targetReplicas } from '../../../src/routing/rendezvous.ts';
import type { GroupSeats, PlacementNode } from '../../../src/routing/seating.ts';
import { targetPlacement } from '../../../src/routing/target-placement.ts';

const node = (id: string, changes: Partial<PlacementNode> = {}): PlacementNode => ({
  id,
  weight: 100,
  zone: '',
  eligible: true,
  ...changes,
});

const nodesNamed = (ids: string): PlacementNode[] => [...ids].map(id => node(id));

const at = (group: number, voters: string, learners = ''): GroupSeats => ({
  group,
  voters: [...voters],
  learners: [...learners],
});

const shardsAt = (voters: string, count = 64): GroupSeats[] =>
  Array.from({ length: count + 1 }, (_, group) => at(group, voters));

describe('how many replicas a group gets', () => {
  test.each([
    [0, 3, 1, 0],
    [1, 3, 1, 0],
    [2, 3, 1, 1],
    [3, 3, 3, 0],
    [4, 3, 3, 0],
    [4, 5, 3, 0],
    [7, 5, 5, 0],
    [9, 1, 1, 0],
  ])('with %i nodes and replication %i: %i voters, %i learners', (count, rf, voters, learners) => {
    expect(sizeFor(count, rf)).toEqual({ voters, learners });
  });
});

describe('a cluster that grows', () => {
  test('one node holds everything alone', () => {
    const targets = targetPlacement({
      nodes: nodesNamed('a'),
      groups: shardsAt('a'),
      replication: 3,
    });
    for (const target of targets.values()) expect(target).toEqual({ voters: ['a'], learners: [] });
    expect(targets.size).toBe(65);
  });

  test('a second node gets a learner of everything, the voter stays', () => {
    const nodes = nodesNamed('ab');
    const targets = targetPlacement({ nodes, groups: shardsAt('b'), replication: 3 });
    for (const target of targets.values()) {
      expect(target).toEqual({ voters: ['b'], learners: ['a'] });
    }
  });

  test('three nodes vote on everything', () => {
    const groups = shardsAt('a').map(({ group }) => at(group, 'a', 'b'));
    const targets = targetPlacement({ nodes: nodesNamed('abc'), groups, replication: 3 });
    for (const target of targets.values()) {
      expect(target).toEqual({ voters: ['a', 'b', 'c'], learners: [] });
    }
  });

  test('the registry has five voters from five nodes on, and does not count as load', () => {
    const targetsOf = (ids: string) =>
      targetPlacement({ nodes: nodesNamed(ids), groups: shardsAt('abc'), replication: 3 });
    expect(targetsOf('abcd').get(0)?.voters).toHaveLength(3);
    expect(targetsOf('abcde').get(0)?.voters).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(targetsOf('abcdefg').get(0)?.voters).toHaveLength(5);
    expect(targetsOf('abcdefg').get(0)?.voters).toEqual(expect.arrayContaining(['a', 'b', 'c']));
  });

  test('the registry takes new voters by zone, though all others follow it', () => {
    const nodes = [...nodesNamed('abcdef'), node('y', { zone: 'y' }), node('z', { zone: 'z' })];
    const groups = [at(0, 'abc', 'defyz'), ...shardsAt('abc').slice(1)];
    const target = targetPlacement({ nodes, groups, replication: 3 }).get(0);
    expect(target?.voters).toEqual(['a', 'b', 'c', 'y', 'z']);
  });

  test('a node that joins but is not up yet gets nothing', () => {
    const nodes = [...nodesNamed('ab'), node('c', { eligible: false })];
    const targets = targetPlacement({ nodes, groups: shardsAt('a'), replication: 3 });
    expect(targets.get(5)).toEqual({ voters: ['a'], learners: ['b'] });
  });
});

describe('a node that goes', () => {
  const three = [...nodesNamed('ab'), node('c', { eligible: false, lost: true })];

  test('lost of three, it keeps its vote until another can take it', () => {
    const targets = targetPlacement({ nodes: three, groups: shardsAt('abc'), replication: 3 });
    expect(targets.get(3)).toEqual({ voters: ['a', 'b', 'c'], learners: [] });
  });

  test('lost of four, every seat it had is replaced by the one node left', () => {
    const nodes = [...three, node('d')];
    const targets = targetPlacement({ nodes, groups: shardsAt('abc'), replication: 3 });
    for (const target of targets.values()) expect(target.voters).toEqual(['a', 'b', 'd']);
  });

  test('drained of three, the group shrinks to one voter and a learner', () => {
    const nodes = [...nodesNamed('ab'), node('c', { eligible: false })];
    const targets = targetPlacement({ nodes, groups: shardsAt('abc'), replication: 3 });
    for (const { voters, learners } of targets.values()) {
      expect([...voters, ...learners].sort()).toEqual(['a', 'b']);
      expect(voters).toHaveLength(1);
    }
  });

  test('of weight 0, it gives all its seats away', () => {
    const nodes = [...nodesNamed('abc'), node('d', { weight: 0 })];
    const targets = targetPlacement({ nodes, groups: shardsAt('abd'), replication: 3 });
    for (const target of targets.values()) expect(target.voters).toEqual(['a', 'b', 'c']);
  });
});

describe('one group on its own', () => {
  test('without present seats it goes to the highest scores, whatever the order of nodes', () => {
    const input = { group: 5, replication: 3, current: [], load: new Map<string, number>() };
    const forward = targetReplicas({ ...input, nodes: nodesNamed('abcdefgh') });
    const backward = targetReplicas({ ...input, nodes: nodesNamed('hgfedcba') });
    expect(forward).toEqual(backward);
    expect(forward).toHaveLength(3);
  });

  test('new zones come before high scores', () => {
    for (let group = 1; group < 50; group++) {
      const nodes = [...nodesNamed('abcdef'), node('y', { zone: 'y' }), node('z', { zone: 'z' })];
      const voters = targetReplicas({ group, nodes, replication: 3, current: [], load: new Map() });
      expect(voters).toEqual(expect.arrayContaining(['y', 'z']));
    }
  });

  test('a node at its cap is passed over', () => {
    const nodes = nodesNamed('abcdef');
    const free = { group: 9, nodes, replication: 3, current: [], groups: 64 };
    const first = targetFor({ ...free, load: new Map() }).voters[0] ?? '';
    const load = new Map(nodes.map(({ id }) => [id, id === first ? 60 : 30]));
    expect(targetFor({ ...free, load }).voters).not.toContain(first);
  });

  test('a learner that is on its way in becomes the voter', () => {
    for (const learner of ['d', 'e', 'f']) {
      const nodes = [...nodesNamed('abdef'), node('c', { eligible: false })];
      const target = targetFor({
        group: 2,
        nodes,
        replication: 3,
        current: ['a', 'b', 'c'],
        currentLearners: [learner],
        load: new Map(),
      });
      expect(target.voters).toEqual(['a', 'b', learner]);
    }
  });
});
