/**
 * What a task is given of a node, with real processes: ports that it can really listen on, also
 * after a restart of the node, and what its tier gives at the moment of the submit.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';

const flags = (number: number): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
  ...['--tier', 'premium', '--cpu', '8', '--label', `zone=z${number}`],
  ...['--ports', `2${number}500-2${number}502`],
];

/** Listens on its port until the file is there; fails at once where somebody else does. */
const listener = (release: string): string =>
  `
  use IO::Socket::INET;
  my $port = $ENV{TSCHED_PORT};
  die "ports" unless $ENV{TSCHED_PORTS} eq $port && $ENV{TSCHED_PORT_0} eq $port;
  my $own = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 1);
  die $! unless $own;
  print "$ENV{TSCHED_NODE} $port\\n";
  select(undef, undef, undef, 0.05) until -e "${release}";
`.replaceAll('\n', ' ');

const submitListeners = async (
  cluster: RealCluster,
  release: string,
  indices: string,
): Promise<string[]> => {
  const words = ['submit', '-q', '--array', indices, '--ports', '1', '--lost-after', '2m'];
  const ids = await cluster.ok([...words, '--', 'perl', '-e', listener(release)]);
  return ids.split('\n');
};

test('ports are given to one live attempt each, also by a node that was killed', async () => {
  await withCluster({ nodes: 2, shards: 4, flags }, async cluster => {
    const release = join(cluster.dir, 'release');
    const early = await submitListeners(cluster, release, '1-4');
    for (const id of early) await cluster.untilState(id, 'running');
    for (const node of cluster.nodes) {
      await node.kill();
      await node.start();
    }
    await cluster.untilLed();
    const late = await submitListeners(cluster, release, '1-2');
    for (const id of late) await cluster.untilState(id, 'running');
    // All six are out: one more waits, and says for what.
    const [more] = await submitListeners(cluster, release, '1-1');
    const explained = await cluster.ok(['explain', more!]);
    expect(explained).toContain('ports: needs 1, has 0 free');
    const tooMany = await cluster.run(['submit', '--ports', '4', '--', 'true'], cluster.any);
    expect(tooMany.code).toBe(7);
    expect(tooMany.stderr).toContain('ports: 4 asked for, the largest node has 3');
    await writeFile(release, '');
    const tails: string[] = [];
    for (const id of [...early, ...late]) {
      const { state, outcome, lost } = await cluster.untilSettled(id);
      expect({ state, lost }).toEqual({ state: 'succeeded', lost: 0 });
      tails.push(outcome!.tail.trim());
    }
    expect(tails.sort()).toEqual([1, 2].flatMap(n => [0, 1, 2].map(at => `n${n} 2${n}50${at}`)));
    expect(await cluster.untilSettled(more!)).toMatchObject({ state: 'succeeded' });
  });
}, 180_000);

test('a tier gives what it was set to, to what is submitted then', async () => {
  await withCluster({ nodes: 1, shards: 1, flags }, async cluster => {
    const specOf = async (...words: string[]): Promise<Record<string, unknown>> => {
      const id = await cluster.ok(['submit', '-q', ...words, '--', 'true']);
      return cluster.get(`/v1/tasks/${id}/spec`);
    };
    const before = await cluster.ok(['submit', '-q', '--', 'true']);
    await cluster.ok(['tier', 'set', 'basic', '--cpu', '0.3', '--cap', '1h']);
    await cluster.ok(['tier', 'set', 'premium', '--ports', '1']);
    expect(await specOf()).toMatchObject({ cpu: '300m', memory: '64MiB', ports: 0, cap: '1h' });
    expect(await specOf('--tier', 'premium')).toMatchObject({ cpu: 2, ports: 1 });
    expect(await specOf('--cpu', '1:2')).toMatchObject({ cpu: 1, limits: { cpu: 2 } });
    expect(await cluster.get(`/v1/tasks/${before}/spec`)).toMatchObject({ cpu: '100m' });
    const refused = await cluster.run(['submit', '--cap', '2h', '--', 'true'], cluster.any);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('above the ceiling of tier basic, 1h');
    const disorder = await cluster.run(['tier', 'set', 'regular', '--cpu', '0.2'], cluster.any);
    expect(disorder.code).toBe(2);
    expect(disorder.stderr).toContain('at least as much cpu as basic');
    expect(await cluster.ok(['tier', 'set', 'basic', '--reset'])).toMatch(/^basic +0\.1 /m);
    expect(await specOf()).not.toHaveProperty('cap');
  });
}, 120_000);

/** On two nodes, of the zones z1 and z2. */
async function goWhereTheyWish(cluster: RealCluster): Promise<void> {
  const nodesOf = async (...words: string[]): Promise<string[]> => {
    const names: string[] = [];
    for (const id of (await cluster.ok(['submit', '-q', ...words])).split('\n')) {
      const { state, attempts } = await cluster.untilSettled(id);
      expect(state).toBe('succeeded');
      names.push(...attempts.map(({ nodeName }) => nodeName));
    }
    return names;
  };
  const work = ['--', 'sleep', '0.2'];
  const spread = await nodesOf('--array', '1-4', '--spread', 'zone', ...work);
  expect(spread.sort()).toEqual(['n1', 'n1', 'n2', 'n2']);
  expect(await nodesOf('--array', '1-3', '--prefer', 'zone=z1', ...work)).toEqual([
    'n1',
    'n1',
    'n1',
  ]);
  // Where it failed it does not run again while another node could take it.
  const mark = join(cluster.dir, 'failed');
  const twice = `test -e ${mark} || { touch ${mark}; exit 1; }`;
  const retry = ['--attempts', '2', '--backoff', '10ms', '--prefer', 'zone=z2'];
  expect(await nodesOf(...retry, '--', 'sh', '-c', twice)).toEqual(['n2', 'n1']);
}

test('labels that every node has can be required; what fits nowhere is held on request', async () => {
  await withCluster({ nodes: 1, shards: 1, flags }, async cluster => {
    const require = ['--require', `os=${process.platform}`, '--require', `arch=${process.arch}`];
    await cluster.ok(['submit', '--wait', ...require, '--', 'true']);
    const elsewhere = ['submit', '-q', '--require', 'zone=z2'];
    const refused = await cluster.run([...elsewhere, '--', 'true'], cluster.any);
    expect(refused).toMatchObject({ code: 7 });
    expect(refused.stderr).toContain('label: no node has zone=z2');
    const id = await cluster.ok([...elsewhere, '--hold-if-unfit', '--', 'true']);
    expect(await cluster.ok(['explain', id])).toContain('label: is not zone=z2');
    await cluster.addNode();
    expect(await cluster.untilSettled(id)).toMatchObject({ attempts: [{ nodeName: 'n2' }] });
    await goWhereTheyWish(cluster);
  });
}, 120_000);
