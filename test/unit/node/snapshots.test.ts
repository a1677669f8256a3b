/** Whole nodes whose logs are short: who lags is sent the state, and nothing is lost or doubled. */
import { describe, expect, test } from 'vitest';
import type { TschedNode } from '../../../src/node/node.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import type { MemoryDisk } from '../../../src/storage/memory-disk.ts';
import { SmallWorld, type SmallWorldOptions, someSpec, submitted } from './small-world.ts';

const logLimits = { entriesKept: 5, entriesSpare: 10, bytesSpare: 1e6, bytesMax: 1e7 };

const firstOf = (node: TschedNode, group = 1): number =>
  node.loop.replica(group)?.log.firstIndex() ?? 0;

const shardOf = (node: TschedNode): ShardMachine =>
  node.loop.replica(1)!.machine as unknown as ShardMachine;

const tasksOf = (node: TschedNode): number =>
  Object.values(shardOf(node).counts()).reduce((sum, count) => sum + count, 0);

const metric = (node: TschedNode, name: string): number =>
  node.api.metrics().find(one => one.name === `tsched_${name}`)?.value ?? -1;

/** Tasks one after the other, so that each has an entry of its own. */
async function submitEach(world: SmallWorld, node: TschedNode, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await submitted(world, node, [someSpec()]);
}

/** Three nodes of one shard, and the disks they live on. */
class ThreeNodes {
  readonly world: SmallWorld;
  readonly nodes = new Map<string, TschedNode>();
  readonly disks = new Map<string, MemoryDisk>();

  constructor(options: SmallWorldOptions = {}) {
    this.world = new SmallWorld({ shards: 1, logLimits, ...options });
  }

  async start(): Promise<void> {
    const { world } = this;
    this.disks.set('n1', world.firstDisk('n1'));
    const first = await this.boot('n1');
    await world.until(() => first.ready);
    const join = { secret: await world.secretOf(first), contacts: ['n1'] };
    for (const id of ['n2', 'n3']) {
      this.disks.set(id, world.emptyDisk(id));
      await this.boot(id, join);
    }
    await world.until(() => this.whole);
  }

  async boot(id: string, join?: Parameters<SmallWorld['boot']>[2]): Promise<TschedNode> {
    const node = await this.world.boot(id, this.disks.get(id)!, join);
    this.nodes.set(id, node);
    return node;
  }

  async stop(id: string): Promise<void> {
    await this.world.within(this.nodes.get(id)!.stop({ endTasks: false }));
    this.nodes.delete(id);
  }

  get whole(): boolean {
    return [...this.nodes.values()].every(
      node => node.ready && node.loop.replica(1)?.descriptor.conf.voters.length === 3,
    );
  }

  get leader(): TschedNode | undefined {
    return [...this.nodes.values()].find(node => node.loop.replica(1)?.leading);
  }

  /** Every replica that runs has applied the same, and says the same of it. */
  get equal(): boolean {
    const replicas = [...this.nodes.values()].map(node => node.loop.replica(1));
    const [one] = replicas;
    return replicas.every(
      other => other?.applied === one?.applied && other?.machine.digest() === one?.machine.digest(),
    );
  }
}

describe('a log that gets long', () => {
  test('is truncated, and the node starts again from what is left', async () => {
    const world = new SmallWorld({ shards: 1, logLimits });
    const disk = world.firstDisk('n1');
    const first = await world.boot('n1', disk);
    await world.until(() => first.ready);
    await submitEach(world, first, 40);
    await world.until(() => firstOf(first) > 10);
    expect(metric(first, 'log_truncations_total')).toBeGreaterThan(0);
    expect(metric(first, 'log_entries')).toBeLessThan(100);
    await world.within(first.stop({ endTasks: false }));
    expect(disk.groups.get(1)?.truncated.index).toBeGreaterThan(9);
    const again = await world.boot('n1', disk);
    expect(firstOf(again)).toBeGreaterThan(10);
    await world.until(() => again.ready);
    expect(tasksOf(again)).toBe(40);
    await submitEach(world, again, 3);
    expect(tasksOf(again)).toBe(43);
    expect(world.fatals).toEqual([]);
  });

  test('keeps what a live follower lacks, and leaves a dead one to a snapshot', async () => {
    const three = new ThreeNodes();
    await three.start();
    const { world } = three;
    await three.stop('n3');
    await world.until(() => three.leader !== undefined);
    await submitEach(world, three.leader!, 60);
    await world.until(() => [...three.nodes.values()].every(node => firstOf(node) > 30));
    const n3 = await three.boot('n3');
    await submitEach(world, three.leader!, 20);
    await world.until(() => three.equal && tasksOf(n3) === 80);
    expect(metric(n3, 'snapshots_received_total')).toBeGreaterThan(0);
    expect(firstOf(n3)).toBeGreaterThan(30);
    shardOf(n3).checkInvariants();
    // What came as a whole is on the disk as well.
    await three.stop('n3');
    const again = await three.boot('n3');
    await world.until(() => three.equal && tasksOf(again) === 80);
    expect(metric(again, 'snapshots_received_total')).toBe(0);
    expect(world.fatals).toEqual([]);
  });
});
