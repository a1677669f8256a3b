/** Nodes that leave, from the command line. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CliBench, openBench } from './run-cli.ts';

let bench: CliBench;
beforeEach(async () => {
  bench = await openBench({ shards: 4 });
});
afterEach(() => bench.close());

describe('node drain', () => {
  test('with --wait tells how far it is and returns once nothing is left', async () => {
    const run = await bench.run(['node', 'drain', 'node-b', '--wait', '--deadline', '10m']);
    expect(run).toMatchObject({
      code: 0,
      stdout: 'node node-b drained: stop it, or remove it\n',
    });
    expect(run.stderr).toMatch(
      /node node-b: 0 leaderships, \d replicas?, 0 attempts, ended after 10m left/,
    );
    const list = await bench.run(['node', 'list']);
    expect(list.stdout).toMatch(/^node-b +drained/m);
    const removed = await bench.run(['node', 'remove', 'node-b']);
    expect(removed).toMatchObject({ code: 0, stdout: 'node node-b is removed\n' });
    expect((await bench.run(['node', 'list'])).stdout).not.toContain('node-b');
    expect((await bench.run(['node', 'list', '--all'])).stdout).toMatch(/^node-b +removed/m);
  });

  test('is refused where too few nodes are left, with what to do', async () => {
    await bench.run(['node', 'drain', '--self']);
    expect((await bench.run(['node', 'show', 'node-a'])).stdout).toMatch(/drain +0 leaderships/);
    const refused = await bench.run(['node', 'drain', 'node-c']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('shards 1-4 would go from 3 voters to 1');
    expect(refused.stderr).toContain('Add a node first');
    expect(await bench.run(['node', 'undrain', 'node-a'])).toMatchObject({
      code: 0,
      stdout: 'node node-a is up\n',
    });
  });

  test('of no node, or of two, is wrong usage', async () => {
    for (const args of [[], ['node-a', '--self']]) {
      const run = await bench.run(['node', 'drain', ...args]);
      expect(run.code).toBe(2);
      expect(run.stderr).toContain('name one node to drain, or say --self');
    }
  });

  test('removing one that is up is refused', async () => {
    const run = await bench.run(['node', 'remove', 'node-b', '--json']);
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({ error: { code: 'notDrained' } });
  });
});

describe('cluster settings', () => {
  test('are shown, changed, and brought back', async () => {
    const shown = await bench.run(['cluster', 'settings']);
    expect(shown.stdout).toMatch(/^history\.maxAge +7d +7d +How long/m);
    const changed = await bench.run(['cluster', 'settings', 'history.maxAge=3d']);
    expect(changed.stdout).toMatch(/^history\.maxAge +3d +7d/m);
    const back = await bench.run(['cluster', 'settings', 'history.maxAge=', '-q']);
    expect(back.stdout).toBe('history.maxAge=7d\n');
  });

  test('that are none are refused', async () => {
    expect((await bench.run(['cluster', 'settings', 'history.maxAge'])).code).toBe(2);
    const unknown = await bench.run(['cluster', 'settings', 'other=1']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('there is no setting "other"');
  });
});

describe('tier', () => {
  test('list shows what each gives, set changes it, and brings it back', async () => {
    expect((await bench.run(['tier', 'list'])).stdout).toMatch(
      /^basic +0\.1 +64MiB +0B +0 +0B\/s +0 +none$/m,
    );
    const words = ['--cpu', '0.2', '--iops', '50', '--ports', '2', '--cap', '1h'];
    const changed = await bench.run(['tier', 'set', 'basic', ...words]);
    expect(changed.stdout).toMatch(/^basic +0\.2 +64MiB +0B +50 +0B\/s +2 +1h$/m);
    const one = await bench.run(['tier', 'set', 'basic', '--cpu', 'default', '--json']);
    expect(JSON.parse(one.stdout)).toMatchObject({
      tiers: [{ tier: 'basic', amounts: { cpuMilli: 100, iops: 50 }, capMsMax: 3_600_000 }, {}, {}],
    });
    const reset = await bench.run(['tier', 'set', 'basic', '--reset']);
    expect(reset.stdout).toMatch(/^basic +0\.1 +64MiB +0B +0 +0B\/s +0 +none$/m);
    expect((await bench.run(['tier', 'list', '-q'])).stdout).toBe('basic\nregular\npremium\n');
  });

  test('set without a change, of no tier or to what cannot be, is wrong usage', async () => {
    for (const args of [['basic'], ['gold', '--cpu', '1'], ['basic', '--cpu', 'many']]) {
      expect((await bench.run(['tier', 'set', ...args])).code).toBe(2);
    }
    const wrong = await bench.run(['tier', 'set', 'basic', '--cpu', 'many', '--ports', '9000']);
    expect(wrong.stderr).toContain('must be a number of CPUs');
    expect(wrong.stderr).toContain('0 to 1000');
  });
});

describe('reserve', () => {
  test('holds room, shows what is used of it, and lets it go', async () => {
    const create = [
      'reserve',
      'create',
      'nightly',
      '--cpu',
      '2',
      '--memory',
      '1GiB',
      '--count',
      '2',
    ];
    const made = await bench.run([...create, '--until', '2999-03-01']);
    expect(made.stderr).toContain('more than ten years');
    expect((await bench.run([...create, '--for', '7d', '-q'])).stdout).toBe('nightly\n');
    const listed = await bench.run(['reserve', 'list']);
    expect(listed.stdout).toMatch(/^nightly +default .* 2 cpu, 1GiB memory +1 cpu +node-a \(uses/m);
    expect((await bench.run([...create, '--for', '7d'])).stderr).toContain('nightly has this name');
    const released = await bench.run(['reserve', 'release', 'nightly']);
    expect(released.stdout).toBe('reservation nightly released\n');
    expect((await bench.run(['reserve', 'release', 'nightly'])).code).toBe(1);
    const { reservations } = JSON.parse((await bench.run(['reserve', 'list', '--json'])).stdout);
    expect(reservations).toEqual([]);
  });

  test('tells everything that is wrong at once, with the flag', async () => {
    const { code, stderr } = await bench.run([
      ...['reserve', 'create', 'a b', '--cpu', 'many', '--until', '2027-02-30'],
      ...['--node', 'n', '--count', '2'],
    ]);
    expect(code).toBe(2);
    for (const flag of ['NAME', '--cpu', '--memory', '--until', '--count'])
      expect(stderr).toContain(`\n  ${flag}: `);
    expect((await bench.run(['reserve', 'create'])).code).toBe(2);
  });
});

describe('cluster rebalance', () => {
  const move = { shard: 3, adds: ['node-d'], removes: ['node-a'], promotes: [], demotes: [] };

  test('with --dry-run prints what is to move and waits for nothing', async () => {
    bench.api.pendingMoves.push(move, move);
    const { code, stdout } = await bench.run(['cluster', 'rebalance', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +3 +node-d +node-a +- +-$/m);
    expect(stdout).toContain('1 replica to be copied');
    expect(bench.api.pendingMoves).toHaveLength(1);
    const without = ['cluster', 'rebalance', '--dry-run', '--without', 'node-b'];
    expect((await bench.run(without)).stdout).toMatch(/node-d +node-b/);
  });

  test('returns once everything has moved', async () => {
    bench.api.pendingMoves.push(move, move);
    const { code, stdout } = await bench.run(['cluster', 'rebalance']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\ndone\n$/);
    expect(bench.api.pendingMoves).toEqual([]);
    expect((await bench.run(['cluster', 'rebalance'])).stdout).toContain('nothing to move');
  });
});
