/** Whole nodes that keep room for a tenant: who gets it, who does not, and for how long. */
import { describe, expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import type { ReservationAsk } from '../../../src/model/reservation.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import { admin, adminToken, resources, SmallWorld, someSpec, submitted } from './small-world.ts';

const minuteMs = 60_000;

/** Nodes of 4 CPUs each, with tasks that never end. */
async function start(count: number) {
  const world = new SmallWorld({ shards: 2 });
  const nodes = await world.cluster(count);
  await world.until(() => nodes.every(node => node.context.clusterVersion() >= 3));
  const [node] = nodes as [TschedNode];
  const reserve = (asker: TschedNode, parts: Partial<ReservationAsk> = {}) =>
    world.within(
      asker.api.reserve(
        {
          name: 'kept',
          tenant: 'default',
          amount: resources(3_000),
          untilMs: node.context.clock.wallMs() + 10 * minuteMs,
          nodes: [],
          count: 1,
          tier: 'basic',
          require: [],
          ...parts,
        },
        adminToken,
      ),
    );
  const machines = (): ShardMachine[] =>
    nodes.flatMap(one =>
      [...one.loop.replicas()]
        .filter(({ group, leading }) => group > 0 && leading)
        .map(({ machine }) => machine as unknown as ShardMachine),
    );
  const stateOf = (id: TaskId) =>
    machines()
      .map(machine => machine.record(id)?.state)
      .find(state => state !== undefined);
  const submit = (parts: Parameters<typeof someSpec>[0], on = node) =>
    submitted(world, on, [someSpec(parts)]).then(([id]) => id!);
  return { world, nodes, node, reserve, stateOf, submit };
}

const cpu = (milli: number) => ({ request: resources(milli), limit: resources(milli) });

describe('A reservation', () => {
  test('keeps its room from others, and ends by itself at its date', async () => {
    const { world, node, reserve, stateOf, submit } = await start(1);
    await reserve(node);
    await world.until(() => node.worker.reactor.free.cpuMilli === 1_000);
    const small = await submit(cpu(1_000));
    const other = await submit(cpu(1_000));
    await world.until(() => stateOf(small) === 'assigned');
    const named = await submit({ ...cpu(2_000), reservation: 'kept' });
    await world.until(() => stateOf(named) === 'assigned');
    // What it uses is shown with the next advertisement.
    await world.until(() => node.api.reservations()[0]?.parts[0]?.used?.cpuMilli === 2_000);
    const more = await submit({ ...cpu(2_000), reservation: 'kept' });
    await world.pass(minuteMs);
    expect(stateOf(more)).toBe('waiting');
    // The other one may stand in the node's queue, and takes nothing.
    expect(node.worker.reactor.allocated.cpuMilli).toBe(3_000);
    expect((await world.within(node.api.explain(more))).nodes[0]?.sentence).toBe(
      'cpu: needs 2, has 1 free',
    );
    await world.pass(9 * minuteMs);
    expect(node.api.reservations()).toEqual([]);
    await world.until(() => node.worker.reactor.allocated.cpuMilli === 4_000);
    expect(stateOf(other)).toBe('assigned');
    await world.until(() => node.registry.machine()?.reservations().length === 0);
    await world.until(() => node.scheduler.views()[0]?.shares === undefined);
    await world.pass(1_000);
    expect((await world.within(node.api.get(more))).reason).toBe('Reservation');
    expect(world.fatals).toEqual([]);
  });

  test('is for its tenant alone, and for what fits into it', async () => {
    const { world, node, reserve } = await start(1);
    await reserve(node);
    await world.within(node.api.tenancy.createTenant('other', 'unlimited', adminToken));
    const codeOf = async (parts: Parameters<typeof someSpec>[0]) => {
      const [reply] = await world.within(node.api.submit([{ spec: someSpec(parts) }], admin));
      return reply?.ok === false ? `${reply.code}: ${reply.message}` : 'ok';
    };
    expect(await codeOf({ reservation: 'kept', tenant: 'other' })).toBe(
      'forbidden: the reservation "kept" is not of the tenant other',
    );
    expect(await codeOf({ reservation: 'none' })).toBe(
      'unknownReservation: there is no reservation "none", or it is over',
    );
    expect(await codeOf({ ...cpu(3_500), reservation: 'kept' })).toBe(
      'neverFits: cpu: 3.5 asked for, the largest node in the reservation kept has 3',
    );
    expect(await codeOf({ ...cpu(2_000), reservation: 'kept', gang: 2 })).toContain(
      'neverFits: a gang of 2',
    );
    await expect(reserve(node, { tenant: 'other' })).rejects.toMatchObject({
      code: 'reservationTaken',
    });
    await expect(reserve(node, { name: 'p', tenant: 'nobody' })).rejects.toMatchObject({
      code: 'unknownTenant',
    });
    await expect(reserve(node, { name: 'more' })).rejects.toMatchObject({ code: 'neverFits' });
    await expect(reserve(node, { name: 'p', nodes: ['nobody'] })).rejects.toMatchObject({
      code: 'unknownNode',
    });
  });

  test('holds while leaders change, and a node that leaves takes its part along', async () => {
    const { world, nodes, node, reserve, stateOf, submit } = await start(3);
    await reserve(node, { count: 3 });
    await world.until(() => nodes.every(one => one.worker.reactor.free.cpuMilli === 1_000));
    const big = await submit(cpu(2_000));
    for (const { loop } of nodes) {
      for (const replica of loop.replicas()) {
        const other = replica.descriptor.conf.voters.find(id => id !== replica.id);
        if (!replica.leading || other === undefined) continue;
        if (replica.core.transferLeader(other)) loop.touch(replica);
      }
      await world.pass(5_000);
      expect(stateOf(big)).toBe('waiting');
    }
    const last = nodes[2]!;
    await world.within(node.api.drainNode('n3', { on: true, force: true }, adminToken));
    const gone = () => node.api.reservations()[0]?.parts.filter(part => !part.held) ?? [];
    expect(gone().map(part => part.nodeName)).toEqual([last.context.nodeName]);
    await world.within(node.api.releaseReservation('kept', adminToken));
    await world.until(() => stateOf(big) === 'assigned');
    expect(world.fatals).toEqual([]);
  });
});
