/** What is said of a cluster that is not as it should be, or on its way to another shape. */
import { describe, expect, test } from 'vitest';
import { noResources } from '../../../src/model/resources.ts';
import { type HealthInput, healthOf } from '../../../src/node/cluster-health.ts';
import type { NodeSummary, ShardSummary } from '../../../src/ports/node-api.ts';

const node = (name: string, change: Partial<NodeSummary> = {}): NodeSummary => ({
  id: name,
  name,
  state: 'up',
  stateSinceMs: 0,
  reachable: true,
  self: false,
  tier: 'basic',
  total: noResources,
  running: 0,
  queued: 0,
  leads: 0,
  replicas: 0,
  httpAddress: '',
  labels: {},
  version: '1.0.0',
  clusterVersion: 2,
  ...change,
});

const shard = (state: ShardSummary['state'] = 'ok'): ShardSummary => ({
  shard: 1,
  term: 1,
  voters: ['a', 'b', 'c'],
  learners: [],
  firstIndex: 1,
  commit: 0,
  applied: 0,
  waiting: 0,
  running: 0,
  settled: 0,
  state,
});

const health = (change: Partial<HealthInput> = {}) =>
  healthOf({
    nodes: [node('a'), node('b'), node('c'), node('d')],
    shards: [shard()],
    registryLed: true,
    registryGrown: true,
    clusterVersion: 2,
    deadAfterMs: 300_000,
    unfit: [],
    foreign: [],
    ...change,
  });

describe('the health of a cluster', () => {
  test('has nothing to say where all is well', () => {
    expect(health()).toMatchObject({ ok: true, nodesUp: 4, nodesByState: { up: 4 }, problems: [] });
  });

  test('names a suspected node, and when it is declared dead', () => {
    const nodes = [node('a'), node('b'), node('c'), node('d', { state: 'suspected' })];
    const told = health({ nodes });
    expect(told).toMatchObject({ ok: false, nodesUp: 3, nodesByState: { up: 3, suspected: 1 } });
    expect(told.problems).toEqual([
      'node d cannot be reached: start it again; silent for 5m, it is declared dead and replaced ' +
        'where another node can take over',
    ]);
  });

  test('says that nothing is placed, by whom and why, and is well all the same', () => {
    const paused = { by: 'ada', atMs: 1_700_000_000_000, reason: 'new disks', suspend: true };
    const { ok, problems } = health({ paused });
    expect(ok).toBe(true);
    expect(problems).toEqual([
      'nothing is placed and what runs stands still: paused by ada at 2023-11-14T22:13:20Z: ' +
        'new disks; see `tsched resume cluster`',
    ]);
  });

  test('says that nobody is declared dead where more than a third is silent', () => {
    const nodes = ['a', 'b', 'c'].map((name, position) =>
      node(name, position === 0 ? {} : { state: 'suspected' }),
    );
    expect(health({ nodes }).problems[0]).toContain('none is declared dead');
  });

  test('names the nodes that hold its version back, and is well all the same', () => {
    const older = { clusterVersion: 1, version: '0.9.0' };
    const nodes = [
      node('a'),
      node('b', older),
      node('c'),
      node('d', { ...older, state: 'dead' }),
      node('e', { clusterVersion: 3 }),
    ];
    expect(health({ nodes, clusterVersion: 3 }).problems.join()).not.toContain('holds');
    const told = health({ nodes: nodes.slice(0, 4), clusterVersion: 1 });
    expect(told).toMatchObject({ ok: true, clusterVersion: 1 });
    expect(told.problems.filter(text => text.includes('version'))).toEqual([
      'node b holds the cluster version at 1: upgrade it (program 0.9.0)',
      'node d holds the cluster version at 1: upgrade it (program 0.9.0), ' +
        'or `tsched node remove d`',
    ]);
  });

  test('is not well with a node that is older than the version of the cluster', () => {
    const nodes = [node('a'), node('b'), node('c', { clusterVersion: 1, version: '0.9.0' })];
    const told = health({ nodes });
    expect(told.ok).toBe(false);
    expect(told.problems).toEqual([
      'node c is too old for the cluster: upgrade it (program 0.9.0)',
    ]);
  });

  test('is well with a node that is drained or dead and replaced, and says what to do', () => {
    const done = { replicasLeft: 0, leadsLeft: 0, attemptsLeft: 0, drained: true };
    const left = { ...done, replicasLeft: 7, attemptsLeft: undefined, drained: false };
    const nodes = [
      ...[node('a'), node('b'), node('c')],
      node('d', { state: 'draining', drain: done }),
      node('e', { state: 'draining', drain: left }),
      node('f', { state: 'dead', reachable: false }),
    ];
    const told = health({ nodes });
    expect(told.ok).toBe(true);
    expect(told.problems).toEqual([
      'node d is drained: stop it, or `tsched node remove d`',
      'node e is draining: 7 replicas and ? attempts left',
      'node f is dead: start it again, or `tsched node remove f`',
    ]);
  });

  test('is not well while a draining node is away, or the registry has no leader', () => {
    const drain = { replicasLeft: 7, leadsLeft: 0, drained: false };
    const away = node('d', { state: 'draining', reachable: false, drain });
    expect(health({ nodes: [node('a'), node('b'), node('c'), away] })).toMatchObject({ ok: false });
    expect(health({ registryLed: false }).problems[0]).toContain('no node can join or leave');
    expect(health({ registryGrown: false }).ok).toBe(false);
  });
});
