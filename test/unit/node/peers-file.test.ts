/** What a node keeps of the others' addresses: as much as helps, privately, and seldom written. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { DataDir } from '../../../src/node/data-dir.ts';
import { PeersFile, readPeers } from '../../../src/node/peers-file.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { until } from '../../support/until.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-peers-'));
});
afterEach(() => rm(root, { recursive: true }));

const row = (
  node: string,
  state: 'up' | 'dead' | 'removed' | 'draining' = 'up',
  addresses = [`/${node}`],
) => ({
  node,
  addresses,
  state,
});

/** Keeps the peers once, and again at each look. */
function keeper(peers: () => ReturnType<typeof row>[], self = 'me') {
  let look: () => void = () => undefined;
  const clock = {
    after: (_ms: number, run: () => void) => {
      look = run;
      return () => undefined;
    },
  };
  const file = new PeersFile({
    dir: new DataDir(root),
    clock: clock as never,
    log: silentLog,
    clusterId: 'c',
    self,
    peers,
    alone: () => 1,
  });
  return { file, look: () => look() };
}

const read = () => readPeers(new DataDir(root));

test('keeps those that can be asked, for its owner alone', async () => {
  const { file } = keeper(() => [
    row('me'),
    row('a'),
    row('b', 'dead'),
    row('c', 'removed'),
    row('d', 'draining'),
  ]);
  file.start();
  await file.stop();
  const found = await read();
  expect(found).toMatchObject({ clusterId: 'c', alone: 1 });
  expect(found?.nodes.map(({ node }) => node).sort()).toEqual(['a', 'd']);
  expect((await stat(join(root, 'peers.json'))).mode & 0o777).toBe(0o600);
});

test('of many keeps some, not the same for every node, and some addresses of each', async () => {
  const addresses = [...Array.from({ length: 20 }, (_, at) => `/${at}`), '/'.repeat(1_000)];
  const many = Array.from({ length: 500 }, (_, at) => row(`n${at}`, 'up', addresses));
  const kept: string[][] = [];
  for (const self of ['x', 'y']) {
    const { file } = keeper(() => many, self);
    file.start();
    await file.stop();
    const nodes = (await read())!.nodes;
    expect(nodes).toHaveLength(limits.contactsMax);
    for (const node of nodes) expect(node.addresses).toHaveLength(limits.contactAddressesMax);
    kept.push(nodes.map(({ node }) => node));
  }
  expect(kept[0]).not.toEqual(kept[1]);
});

test('is written again only where something has changed', async () => {
  let peers = [row('a')];
  const { file, look } = keeper(() => peers);
  file.start();
  await until('it is written', async () => (await read())?.nodes.length === 1);
  await writeFile(join(root, 'peers.json'), 'as it was');
  look();
  peers = [row('a'), row('b')];
  // What is under way sees the peers of before: nothing is written for them.
  expect(await readFile(join(root, 'peers.json'), 'utf8')).toBe('as it was');
  look();
  await file.stop();
  expect((await read())?.nodes).toHaveLength(2);
});

test.each([
  ['nothing', undefined],
  ['half a file', '{"version":1,"clusterId":"c","no'],
  ['another version', '{"version":2,"clusterId":"c","alone":0,"nodes":[]}'],
  ['no cluster', '{"version":1,"alone":0,"nodes":[]}'],
  ['no list', '{"version":1,"clusterId":"c","alone":0,"nodes":7}'],
  ['null', 'null'],
])('reads nothing from %s', async (_what, text) => {
  if (text !== undefined) await writeFile(join(root, 'peers.json'), text);
  expect(await read()).toBeUndefined();
});

test('passes over what is no contact', async () => {
  const nodes = [
    null,
    7,
    { node: 1, addresses: ['/x'] },
    { node: 'a', addresses: [3, '/a'] },
    { node: 'b', addresses: [] },
  ];
  await writeFile(
    join(root, 'peers.json'),
    JSON.stringify({ version: 1, clusterId: 'c', alone: 0, nodes }),
  );
  expect((await read())?.nodes).toEqual([{ node: 'a', addresses: ['/a'] }]);
  expect(await readFile(join(root, 'peers.json'), 'utf8')).toContain('"c"');
});
