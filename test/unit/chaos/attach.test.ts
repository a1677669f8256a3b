import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Attached, type AttachOptions, attachTo } from '../../../src/chaos/attach.ts';
import { planAttack } from '../../../src/chaos/attach-plan.ts';
import { attachedClusters } from '../../../src/chaos/attached-cluster.ts';
import { findAttachedLacks } from '../../../src/chaos/attached-lacks.ts';
import type { FaultKind } from '../../../src/chaos/fault-kinds.ts';
import { readDocument } from '../../../src/chaos/main.ts';
import type { Scenario } from '../../../src/chaos/scenario.ts';

const processOf = (pid: number) => ({
  ...{ pid, startTicks: 1, executable: '/usr/bin/node', args: ['node'], env: {}, cwd: '/' },
  owner: { uid: 0, gid: 0, groups: [] },
  ...{ outputs: ['/dev/null', '/dev/null'] as const, unit: undefined },
});

/** `local` nodes on this machine and one that only its address is known of. */
const attached = (local: number): Attached => ({
  ...{ shards: 64, token: 'secret' },
  nodes: Array.from({ length: local + 1 }, (_, place) => ({
    ...{ number: place + 1, id: `id${place}`, name: `node-${place}`, address: 'localhost:1' },
    bootCount: 1,
    local:
      place === local
        ? undefined
        : {
            ...{ dir: `/data/${place}`, process: processOf(100 + place), command: 'node start' },
            restarter: 'self' as const,
          },
  })),
});

function scenarioOf(document: object, cluster: Attached): Scenario {
  const reading = readDocument({ name: 'mine', ...document }, { attached: cluster });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.scenario;
}

async function lacksOf(document: object, cluster: Attached): Promise<Record<string, string>> {
  const scenario = scenarioOf(document, cluster);
  const kinds = [
    ...scenario.faults.map(fault => fault.kind),
    ...(scenario.random?.kinds ?? []),
  ] satisfies FaultKind[];
  const lacks = await findAttachedLacks(kinds, scenario, cluster);
  return Object.fromEntries(lacks.map(({ kind, reason }) => [kind, reason]));
}

const one = (kind: string, target?: string) => ({
  faults: [{ at: '1s', kind, ...(target === undefined ? {} : { target }) }],
});

test('nodes and shards are those of the cluster, whatever the scenario says', () => {
  const document = { cluster: { nodes: 9, shards: 4 }, ...one('kill', 'leader of 64') };
  expect(scenarioOf(document, attached(2))).toMatchObject({ nodes: 3, shards: 64 });
  const reading = readDocument({ name: 'mine', ...one('kill', 'n4') }, { attached: attached(2) });
  expect(reading).toMatchObject({
    ok: false,
    problems: [{ message: 'names n4; the cluster has n1 to n3' }],
  });
});

describe('what is not done to a cluster of others', () => {
  test.each([
    ['wipe', /destroyed/],
    ['flipBytes', /destroyed/],
    ['diskFull', /others may use it/],
    ['outOfMemory', /control group/],
    ['clockJump', /started for it/],
    ['partition', /network made for it/],
    ['slowLink', /network made for it/],
  ])('%s', async (kind, reason) => {
    expect(await lacksOf(one(kind, 'n1'), attached(2))).toEqual({
      [kind]: expect.stringMatching(reason),
    });
  });

  test.each([
    ...['kill', 'stop', 'restart', 'rollingRestart', 'restartStorm', 'pause'],
    ...['killSupervisor', 'pauseSupervisor', 'crashMachine'],
  ])('%s is done', async kind => {
    expect(await lacksOf(one(kind, 'n1'), attached(2))).toEqual({});
  });
});

describe('a fault that may hit a node that only its address is known of is not done', () => {
  test.each([
    ['n3', /n3/],
    ['n1,n3', /n3/],
    ['leader', /a leader that is not here/],
    ['leader of 5', /a leader that is not here/],
    ['random 3', /3 nodes/],
    ['all', /all of the nodes/],
    ['majority', /majority of the nodes/],
  ])('%s', async (target, reason) => {
    expect(await lacksOf(one('kill', target), attached(2))).toEqual({
      kill: expect.stringMatching(reason),
    });
  });

  test.each(['n1,n2', 'random', 'random 2'])('%s is done', async target => {
    expect(await lacksOf(one('kill', target), attached(2))).toEqual({});
  });

  test('drawn ones, where they hit all', async () => {
    const random = { until: '60s', kinds: ['kill', 'rollingRestart'] };
    expect(Object.keys(await lacksOf({ random }, attached(2)))).toEqual(['rollingRestart']);
  });
});

test('the plan names processes and faults, and no secret', async () => {
  const cluster = attached(2);
  const scenario = scenarioOf(one('pause', 'n1,n2'), cluster);
  const plan = await planAttack(cluster, scenario, 1);
  expect(plan).toMatchObject({
    nodes: [{ node: 'n1', pid: 100 }, { node: 'n2', dataDir: '/data/1' }, { node: 'n3' }],
    faults: [{ atMs: 1_000, kind: 'pause', target: 'n1,n2' }],
    lacks: [],
  });
  expect(JSON.stringify(plan)).not.toContain('secret');
});

const options = (...targets: string[]): AttachOptions => ({
  ...{ targets, token: () => 'secret', tokenGiven: false, restarter: undefined },
});

function makeDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tsched-unit-attach-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** A node as far as its answers go. */
async function serve(answers: Readonly<Record<string, unknown>>): Promise<string> {
  const server = createServer((request, response) => {
    const body = answers[request.url ?? ''];
    response.writeHead(body === undefined ? 404 : 200, { connection: 'close' });
    response.end(JSON.stringify(body ?? { detail: 'there is no such thing' }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const whole = { ok: true, shards: 8, shardsGrowing: 0, problems: [] };
const row = (id: string, state = 'up', bootCount = 1) => ({
  ...{ id, name: `name-${id}`, state, httpAddress: 'h:1', bootCount },
});

describe('attaching is refused', () => {
  test('where there is no such directory, or nobody has its store open', async () => {
    await expect(attachTo(options('/nonexistent'))).rejects.toThrow('there is no directory');
    const dir = makeDir();
    await expect(attachTo(options(dir))).rejects.toThrow(
      'no process of this machine has the store',
    );
    mkdirSync(join(dir, 'store'));
    writeFileSync(join(dir, 'store/LOCK'), '');
    await expect(attachTo(options(dir))).rejects.toThrow(
      'no process of this machine has the store',
    );
  });

  test.each(['http://localhost', 'https://h:1', 'http://h:1/path'])('to %s', async target => {
    await expect(attachTo(options(target))).rejects.toThrow('is not the address of a node');
  });

  test('where a node does not answer', async () => {
    await expect(attachTo(options('http://127.0.0.1:1'))).rejects.toThrow('does not answer');
  });

  test('where a node of the cluster was not named', async () => {
    const nodes = [row('a'), row('b', 'suspected'), row('c', 'removed'), row('d', 'dead')];
    const address = await serve({ '/v1/nodes/self': row('a'), '/v1/nodes': { nodes } });
    const text = 'nodes that were not named: name-b (h:1)';
    await expect(attachTo(options(address))).rejects.toThrow(text);
  });

  test('where a node is named twice, or is of another cluster', async () => {
    const one = await serve({ '/v1/nodes/self': row('a'), '/v1/nodes': { nodes: [row('a')] } });
    await expect(attachTo(options(one, one))).rejects.toThrow('is name-a once more');
    const other = await serve({ '/v1/nodes/self': row('z') });
    await expect(attachTo(options(one, other))).rejects.toThrow('of another cluster');
  });

  test('where the cluster is not whole, and not where it is', async () => {
    const answers = { '/v1/nodes/self': row('a'), '/v1/nodes': { nodes: [row('a')] } };
    const problems = ['shard 3 has no leader'];
    const ill = await serve({
      ...answers,
      '/v1/cluster/health': { ...whole, ok: false, problems },
    });
    await expect(attachTo(options(ill))).rejects.toThrow('not whole: shard 3 has no leader');
    const well = await serve({ ...answers, '/v1/cluster/health': whole });
    expect(await attachTo(options(well))).toMatchObject({ shards: 8, nodes: [{ name: 'name-a' }] });
  });

  test('without a token', async () => {
    const none = { ...options(await serve({})), token: () => undefined };
    await expect(attachTo(none)).rejects.toThrow('there is no token');
  });
});

test.each([
  [1, []],
  [3, [expect.objectContaining({ node: 'n1', how: expect.stringContaining('started 2 times') })]],
])('a node of another machine that counts %i starts at the end', async (bootCount, ends) => {
  const answers: Record<string, unknown> = {
    ...{ '/v1/nodes/self': row('a'), '/v1/nodes': { nodes: [row('a')] } },
    '/v1/cluster/health': whole,
  };
  const found = await attachTo(options(await serve(answers)));
  const cluster = await attachedClusters(found).prepare({
    ...{ scenario: scenarioOf(one('kill'), found), seed: 1, kinds: ['kill'] },
    ...{ signal: new AbortController().signal, sinceStartMs: () => 1 },
  });
  await cluster.begin(() => undefined);
  answers['/v1/nodes/self'] = row('a', 'up', bootCount);
  expect(await cluster.end(true, () => undefined)).toEqual([]);
  expect(cluster.unexpectedEnds).toEqual(ends);
});
