/** Whole nodes whose logs are short: who lags is sent the state, and nothing is lost or doubled. */
import { describe, expect, test } from 'vitest';
import type { TschedError } from '../../../src/model/errors.ts';
import { limits } from '../../../src/model/limits.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import type { MemoryDisk } from '../../../src/storage/memory-disk.ts';
import { admin, SmallWorld, type SmallWorldOptions, someSpec, submitted } from './small-world.ts';

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

  /** Some replica does not know yet that the change to three voters is over. */
  get joint(): boolean {
    return [...this.nodes.values()].some(
      node => node.loop.replica(1)?.descriptor.conf.votersOutgoing.length !== 0,
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

describe('a snapshot that has come', () => {
  test('wakes whoever waits there for a task that settled meanwhile', async () => {
    const three = new ThreeNodes();
    await three.start();
    const { world } = three;
    const n3 = three.nodes.get('n3')!;
    await three.world.until(() => three.leader !== undefined);
    if (three.leader === n3) {
      const replica = n3.loop.replica(1)!;
      replica.core.transferLeader(replica.descriptor.conf.voters.find(id => id !== replica.id)!);
      n3.loop.touch(replica);
      await world.until(() => three.leader !== undefined && three.leader !== n3);
    }
    const leader = three.leader!;
    // All nodes are full: the last one waits, and settles as soon as it is cancelled.
    const whole = { ...someSpec().request, cpuMilli: 4_000 };
    const specs = [1, 2, 3, 4].map(() => someSpec({ request: whole, limit: whole }));
    await submitted(world, leader, specs.slice(1));
    await world.pass(2_000);
    const [id] = await submitted(world, leader, specs.slice(0, 1));
    const waiting = n3.api.wait(id!, 60_000, new AbortController().signal);
    await world.pass(1_000);
    world.net.isolate('n3', ['n1', 'n2']);
    await world.pass(5_500);
    await world.within(leader.api.cancel([id!], 'unwanted', admin));
    await submitEach(world, leader, 60);
    await world.until(() => firstOf(leader) > 40);
    world.net.heal();
    await world.until(() => metric(n3, 'snapshots_received_total') > 0);
    const view = await world.within(waiting, 500);
    expect(view.state).toBe('cancelled');
  });

  test('answers what was proposed there, also what stood behind its end', async () => {
    const three = new ThreeNodes();
    await three.start();
    const { world } = three;
    await world.until(() => three.leader !== undefined && !three.joint);
    const old = three.leader!;
    const others = [...three.nodes.keys()].filter(id => id !== old.context.nodeId);
    world.net.isolate(old.context.nodeId, others);
    // More than the others will ever write: the last of them stand behind the state that comes.
    const codes: string[] = [];
    const asked = Array.from({ length: 200 }, () =>
      old.loop.propose(old.loop.replica(1)!, new Uint8Array(0)).then(
        () => codes.push('applied'),
        (error: TschedError) => codes.push(error.code),
      ),
    );
    await world.until(() => three.leader !== undefined && three.leader !== old);
    const leader = three.leader!;
    await submitEach(world, leader, 60);
    await world.until(() => firstOf(leader) > 40);
    world.net.heal();
    await world.until(() => metric(old, 'snapshots_received_total') > 0);
    // At once: the first entry of yet another leader would tell them too, if there ever is one.
    await world.within(Promise.all(asked), 50);
    expect(new Set(codes)).toEqual(new Set(['outcomeUnknown', 'notLeader']));
  });
});

describe('a snapshot under way', () => {
  /** Specs of this size make a state of several pieces. */
  const big = (at: number) =>
    someSpec({ env: [['PAD', `${at}`.padStart(60_000, 'x')]], name: `big-${at}` });

  /** n3 is behind a truncated log and has just begun to take in the state, which takes a while. */
  async function behind(options: SmallWorldOptions = {}): Promise<ThreeNodes> {
    const three = new ThreeNodes(options);
    await three.start();
    const { world } = three;
    await three.stop('n3');
    await world.until(() => three.leader !== undefined);
    for (let at = 0; at < 40; at++) await submitted(world, three.leader!, [big(at)]);
    await world.until(() => [...three.nodes.values()].every(node => firstOf(node) > 20));
    Object.assign(world.net.faults, { delayMsMin: 40, delayMsTypical: 50, delayMsMax: 60 });
    const n3 = await three.boot('n3');
    await world.until(() => midway(n3));
    return three;
  }

  const midway = (node: TschedNode): boolean =>
    metric(node, 'snapshots_running') === 1 && metric(node, 'snapshot_bytes_in_total') > 1_300_000;

  async function expectCaughtUp(three: ThreeNodes, tasks: number): Promise<void> {
    const { world } = three;
    Object.assign(world.net.faults, { delayMsMin: 1, delayMsTypical: 1, delayMsMax: 1 });
    await world.until(() => three.leader !== undefined);
    await submitEach(world, three.leader!, 5);
    await world.until(() => three.equal && three.nodes.size === 3);
    for (const node of three.nodes.values()) {
      expect(tasksOf(node)).toBe(tasks + 5);
      shardOf(node).checkInvariants();
      // The last word of a transfer may still be on its way.
      await world.until(() => metric(node, 'snapshots_running') === 0);
    }
    for (const disk of three.disks.values()) expect(disk.groups.get(1)?.staged).toEqual([]);
    expect(world.fatals).toEqual([]);
  }

  test('does not stop the group: what comes meanwhile follows it', async () => {
    const three = await behind();
    await submitEach(three.world, three.leader!, 10);
    await expectCaughtUp(three, 50);
    expect(metric(three.nodes.get('n3')!, 'snapshots_received_total')).toBe(1);
  });

  test('goes no faster than its limit, which leaves room for everything else', async () => {
    const three = new ThreeNodes();
    await three.start();
    const { world } = three;
    await three.stop('n3');
    await world.until(() => three.leader !== undefined);
    for (let at = 0; at < 150; at++) await submitted(world, three.leader!, [big(at)]);
    await world.until(() => [...three.nodes.values()].every(node => firstOf(node) > 100));
    const n3 = await three.boot('n3');
    await world.until(() => metric(n3, 'snapshot_bytes_in_total') > 0);
    const beganMs = world.time.nowMs;
    await world.until(() => metric(n3, 'snapshots_received_total') > 0);
    const bytes = metric(n3, 'snapshot_bytes_in_total');
    expect(bytes).toBeGreaterThan(8_000_000);
    const leastMs = (bytes / limits.snapshotBytesPerSecond) * 1_000;
    expect(world.time.nowMs - beganMs).toBeGreaterThan(leastMs * 0.8);
    await expectCaughtUp(three, 150);
  });

  test('holds back truncation behind it', async () => {
    const three = await behind();
    const index = three.leader!.loop.replica(1)!.core.status().progress;
    const pending = Math.max(...index.map(peer => peer.pendingSnapshot));
    expect(pending).toBeGreaterThan(20);
    await submitEach(three.world, three.leader!, 40);
    if (metric(three.nodes.get('n3')!, 'snapshots_running') === 1) {
      expect(firstOf(three.leader!)).toBeLessThanOrEqual(pending + 1);
    }
    await expectCaughtUp(three, 80);
  });

  test('is begun again by the next leader where its sender dies', async () => {
    const three = await behind();
    const leader = three.leader!;
    const id = leader.context.nodeId;
    await three.stop(id);
    await three.world.until(() => three.leader !== undefined);
    await three.boot(id);
    await expectCaughtUp(three, 40);
  });

  test('is begun again where leadership moves away from its sender', async () => {
    const three = await behind();
    const leader = three.leader!;
    const other = [...three.nodes.values()].find(
      node => node !== leader && node.context.nodeId !== 'n3',
    );
    expect(leader.loop.replica(1)!.core.transferLeader(other!.loop.replica(1)!.id)).toBe(true);
    leader.loop.touch(leader.loop.replica(1)!);
    await three.world.until(() => three.leader === other);
    await expectCaughtUp(three, 40);
  });

  test('leaves nothing on a receiver that dies', async () => {
    const three = await behind();
    const staged = (): number => three.disks.get('n3')?.groups.get(1)?.staged.length ?? 0;
    await three.world.until(() => staged() > 0);
    expect(midway(three.nodes.get('n3')!)).toBe(true);
    three.world.net.crash('n3');
    const disk = three.disks.get('n3')!;
    // What the disk held is what a new process finds; the old one is never heard again.
    three.disks.set('n3', disk.copy());
    await three.boot('n3');
    expect(three.disks.get('n3')?.groups.get(1)?.staged).toEqual([]);
    await expectCaughtUp(three, 40);
  });

  test('ends with a receiver that is removed, whose next replica gets one of its own', async () => {
    const three = await behind();
    const n3 = three.nodes.get('n3')!;
    const old = n3.loop.replica(1)!;
    const { leader, world } = three;
    const group = leader!.loop.replica(1)!;
    const change = { transition: 'auto' as const, context: new Uint8Array(0) };
    const removed = group.core.proposeConf({
      ...change,
      changes: [{ kind: 'remove', id: old.id }],
    });
    expect(removed.ok).toBe(true);
    leader!.loop.touch(group);
    n3.loop.dropReplica(old);
    await world.until(() => (n3.loop.replica(1)?.id ?? 0) > old.id);
    await world.until(() => three.whole);
    await expectCaughtUp(three, 40);
  });

  test('that names members which have changed meanwhile is followed by that change', async () => {
    const three = await behind();
    const { leader } = three;
    const group = leader!.loop.replica(1)!;
    const other = group.descriptor.members.find(
      ({ node }) => node !== 'n3' && node !== leader!.context.nodeId,
    );
    const result = group.core.proposeConf({
      transition: 'auto',
      changes: [{ kind: 'addLearner', id: other!.replicaId }],
      context: new Uint8Array(0),
    });
    expect(result.ok).toBe(true);
    leader!.loop.touch(group);
    await three.world.until(() => three.whole);
    await expectCaughtUp(three, 40);
  });

  test('that stalls is given up, and another one succeeds', async () => {
    const three = await behind();
    const { world } = three;
    const id = three.leader!.context.nodeId;
    world.net.cutOneWay(id, 'n3');
    await world.pass(1_000);
    world.net.heal();
    await world.until(() => metric(three.leader!, 'snapshots_failed_total') > 0, 120_000);
    await expectCaughtUp(three, 40);
  });

  test('goes to one group after the other where many need one', async () => {
    const three = new ThreeNodes({ shards: 4 });
    await three.start();
    const { world } = three;
    await three.stop('n3');
    await world.until(() => [...three.nodes.values()].some(node => node.ready));
    const any = [...three.nodes.values()][0]!;
    await world.until(() => [1, 2, 3, 4].every(shard => any.context.leaderOf(shard) !== undefined));
    // Tasks without a key prefer the shards that their node leads.
    for (const node of three.nodes.values()) await submitEach(world, node, 160);
    const shards = [1, 2, 3, 4];
    const isShort = (shard: number): boolean =>
      [...three.nodes.values()].every(node => firstOf(node, shard) > 20);
    await world.until(() => shards.every(isShort));
    const n3 = await three.boot('n3');
    const caughtUp = (shard: number): boolean => {
      const applied = [...three.nodes.values()].map(node => node.loop.replica(shard)?.applied);
      return new Set(applied).size === 1;
    };
    await world.until(() => shards.every(caughtUp));
    expect(metric(n3, 'snapshots_received_total')).toBeGreaterThanOrEqual(4);
    for (const shard of shards) {
      const digests = [...three.nodes.values()].map(node =>
        node.loop.replica(shard)!.machine.digest(),
      );
      expect(new Set(digests).size).toBe(1);
    }
    expect(world.fatals).toEqual([]);
  });
});
