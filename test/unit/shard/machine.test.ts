/** One test per rule of the machine that the transcripts do not show: bounds, formats, flushes. */
import { describe, expect, test } from 'vitest';
import { encodeShardCommand } from '../../../src/model/command.ts';
import { limits } from '../../../src/model/limits.ts';
import { tierDefaults } from '../../../src/model/resources.ts';
import { backoffMs } from '../../../src/shard/commands/end-attempt.ts';
import { applySubmit, prepareSpecs } from '../../../src/shard/commands/submit.ts';
import { ShardMachine } from '../../../src/shard/machine.ts';
import { stateCode } from '../../../src/shard/memory/task-table.ts';
import { decodeTaskRow } from '../../../src/shard/record.ts';
import { ShardState } from '../../../src/shard/state.ts';
import { anOutcome, aSpec, epochMs, idOf, specEntry, TestShard } from '../../support/shard.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const actor = { name: 'ann', tenant: 'default' };

function submitted(count: number, spec = aSpec()): TestShard {
  const shard = new TestShard();
  shard.submit(
    Array.from({ length: count }, (_, n) => idOf(n + 1)),
    spec,
  );
  return shard;
}

describe('apply', () => {
  test('leaves everything as it was when a newer version wrote the entry', () => {
    const shard = submitted(1);
    const digest = shard.machine.digest();
    const spec = specEntry(aSpec());
    const newerSpec = { ...spec, digest: new Uint8Array(16), bytes: Uint8Array.of(9, 1, 2) };
    const command = {
      kind: 'submit' as const,
      atMs: epochMs + 5_000,
      actor,
      specs: [spec, newerSpec],
      items: [
        { id: idOf(2), spec: 0 },
        { id: idOf(3), spec: 1 },
      ],
    };
    const bytes = encodeShardCommand(command);
    expect(() => shard.machine.apply(2, bytes)).toThrow('task spec: version 9');
    const newerKind = bytes.slice();
    newerKind[1] = 200;
    expect(() => shard.machine.apply(2, newerKind)).toThrow('unknown kind');
    const newerVersion = bytes.slice();
    newerVersion[0] = 2;
    expect(() => shard.machine.apply(2, newerVersion)).toThrow('version 2');
    expect(shard.machine.digest()).toBe(digest);
    expect(shard.machine.applied).toBe(1);
    expect(shard.machine.nowMs).toBe(epochMs);
    expect(shard.machine.counts().waiting).toBe(1);
    shard.machine.checkInvariants();
  });

  test('refuses to go back or to repeat an index', () => {
    const shard = submitted(1);
    const bytes = encodeShardCommand({ kind: 'cancel', atMs: 0, actor, items: [], reason: '' });
    expect(() => shard.machine.apply(1, bytes)).toThrow('entry 1 comes after 1');
    shard.machine.apply(7, bytes);
    expect(shard.machine.applied).toBe(7);
  });

  test('answers items that make no sense with a refusal', () => {
    const shard = new TestShard();
    const { replies } = shard.apply({
      kind: 'submit',
      specs: [specEntry(aSpec())],
      items: [
        { id: idOf(1), spec: 7 },
        { id: 'not an id' as never, spec: 0 },
      ],
    });
    expect(replies).toMatchObject([{ code: 'badSpec' }, { code: 'badId' }]);
    expect(shard.cancel('???' as never).replies).toMatchObject([{ code: 'unknownTask' }]);
    expect(shard.machine.counts().waiting).toBe(0);
  });

  test('gives another digest for another decision and for another index', () => {
    const one = submitted(1);
    const two = submitted(2);
    expect(one.machine.digest()).not.toBe(two.machine.digest());
    const [bytes] = one.log;
    const later = new ShardMachine({ shard: 1 });
    later.apply(2, bytes!);
    expect(later.digest()).not.toBe(one.machine.digest());
    const repeat = (atMs: number): number => {
      const shard = submitted(1);
      shard.atMs = atMs;
      shard.submit([idOf(1)]);
      return shard.machine.digest();
    };
    expect(repeat(5)).not.toBe(repeat(6));
    expect(repeat(5)).toBe(repeat(5));
  });

  test('tells a leader once per entry that tasks began to wait', () => {
    const shard = new TestShard();
    const { effects } = shard.submit([idOf(1), idOf(2), idOf(3)]);
    expect(effects).toEqual([{ kind: 'readyChanged' }]);
    expect(shard.submit([idOf(1)]).effects).toEqual([]);
  });

  test('takes no time from nowhere: the clock of the first command sets state time', () => {
    const shard = new TestShard();
    expect(shard.machine.nowMs).toBe(0);
    shard.atMs = 12;
    shard.cancel(idOf(1));
    expect(shard.machine.nowMs).toBe(epochMs + 12);
  });

  test('bounds what a clock can claim', () => {
    const shard = new TestShard();
    shard.atMs = Number.MAX_SAFE_INTEGER - epochMs;
    const endless = { initialMs: Number.MAX_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };
    shard.submit([idOf(1)], aSpec({ attempts: 2, backoff: endless }));
    expect(shard.machine.nowMs).toBe(2 ** 48 - 1);
    shard.runOnce(idOf(1), 'failed');
    expect(shard.machine.record(idOf(1))?.readySinceMs).toBe(2 ** 48 - 1);
    expect(shard.flush()).toBeGreaterThan(0);
    expect(shard.restarted().digest()).toBe(shard.machine.digest());
  });
});

describe('submit', () => {
  test('refuses a task more than the shard may hold waiting, but still knows those it has', () => {
    const state = new ShardState(1);
    const turn = { state, actor, effects: [], readyChanged: false, messagesChanged: false };
    const command = {
      kind: 'submit' as const,
      atMs: epochMs,
      actor,
      specs: [specEntry(aSpec()), specEntry(aSpec({ attempts: 2 }))],
      items: [{ id: idOf(1), spec: 0 }],
    };
    const submit = (items: { id: ReturnType<typeof idOf>; spec: number }[]) =>
      applySubmit(turn, { ...command, items }, prepareSpecs(state, command.specs));
    state.beginCommand(1, epochMs);
    state.counts[stateCode.waiting] = limits.waitingPerShardMax - 1;
    expect(submit([{ id: idOf(1), spec: 0 }])).toMatchObject([{ ok: true, repeated: false }]);
    expect(
      submit([
        { id: idOf(2), spec: 1 },
        { id: idOf(1), spec: 0 },
      ]),
    ).toMatchObject([{ code: 'tooManyTasks' }, { ok: true, repeated: true }]);
    expect(state.specs.size).toBe(1);
    expect(state.specs.traitsCount).toBe(1);
  });

  test('keeps what a task is part of', () => {
    const shard = new TestShard();
    const arrayId = idOf(50);
    shard.submit([
      { id: idOf(1), arrayId, arrayIndex: 0 },
      { id: idOf(2), arrayId, arrayIndex: 1, retryOf: idOf(9) },
    ]);
    expect(shard.machine.record(idOf(1))).toMatchObject({ arrayId, arrayIndex: 0 });
    expect(shard.machine.record(idOf(2))).toMatchObject({ arrayIndex: 1, retryOf: idOf(9) });
    shard.assign(idOf(2));
    expect(shard.machine.attempt(idOf(2), 1)).toMatchObject({ arrayIndex: 1, run: 1 });
    shard.flush();
    expect(shard.restarted().record(idOf(1))).toEqual(shard.machine.record(idOf(1)));
  });
});

describe('attempts', () => {
  test('are known to the leader with all that it needs to answer for them', () => {
    const spec = aSpec({ leaseMs: 30_000, tier: 'regular', request: tierDefaults.regular });
    const shard = submitted(3, spec);
    shard.assign(idOf(3), 'n2');
    shard.assign(idOf(1), 'n1');
    shard.assign(idOf(2), 'n1');
    shard.start(idOf(2), 1);
    shard.cancel(idOf(3));
    const live = shard.machine.liveAttempts();
    expect(live.map(attempt => attempt.taskId)).toEqual([idOf(1), idOf(2), idOf(3)]);
    expect(live[1]).toEqual({
      taskId: idOf(2),
      fence: 1,
      run: 1,
      node: 'n1',
      nodeName: 'name-n1',
      incarnation: 'n1-a',
      state: 'running',
      ending: undefined,
      toSuspend: false,
      suspended: false,
      overrides: undefined,
      tenant: 'default',
      leaseMs: 30_000,
      capMs: 0,
      assignedAtMs: epochMs,
      boundMs: epochMs + limits.toleranceMsDefault,
      arrayIndex: undefined,
      digest: hex(specEntry(spec).digest),
      demand: expect.objectContaining({ tier: 'regular', request: tierDefaults.regular }),
    });
    expect(live[2]?.ending).toBe('cancelled');
    const ofNode = (node: string) => shard.machine.liveAttemptsOn(node).map(a => a.taskId);
    expect(ofNode('n1')).toEqual([idOf(1), idOf(2)]);
    expect(ofNode('n3')).toEqual([]);
    shard.finish(idOf(2), 1);
    expect(ofNode('n1')).toEqual([idOf(1)]);
    expect(shard.machine.attempt(idOf(1), 2)).toBeUndefined();
    expect(shard.machine.attempt(idOf(2), 1)).toBeUndefined();
    expect(shard.machine.attempt('nonsense' as never, 1)).toBeUndefined();
  });

  test('are kept up to a bound, as are the nodes where they failed', () => {
    const shard = submitted(1, aSpec({ attempts: 100 }));
    for (let run = 1; run <= 40; run++) shard.runOnce(idOf(1), 'failed', `n${run}`);
    const record = shard.machine.record(idOf(1));
    expect(record?.attempts.map(attempt => attempt.fence)).toEqual(
      Array.from({ length: limits.attemptsKept }, (_, n) => n + 9),
    );
    expect(record?.avoid).toEqual(['n33', 'n34', 'n35', 'n36', 'n37', 'n38', 'n39', 'n40']);
    expect(record?.runs).toBe(40);
    shard.runOnce(idOf(1), 'failed', 'n35');
    expect(shard.machine.record(idOf(1))?.avoid.slice(-2)).toEqual(['n40', 'n35']);
    expect(shard.machine.record(idOf(1))?.avoid).toHaveLength(8);
  });

  test('that are followed by another keep the end of their tail only', () => {
    const shard = submitted(1, aSpec({ attempts: 2 }));
    const tail = `${'x'.repeat(4_000)}\u{1f600}${'y'.repeat(limits.retriedTailMax - 1)}`;
    shard.runOnce(idOf(1), anOutcome('failed', { tail, message: 'm'.repeat(300) }));
    shard.runOnce(idOf(1), anOutcome('failed', { tail, message: 'm'.repeat(300) }));
    const [first, second] = shard.machine.record(idOf(1))!.attempts;
    // The first character that would be left is half of an emoji.
    expect(first?.outcome?.tail).toBe('y'.repeat(limits.retriedTailMax - 1));
    expect(first?.outcome?.message).toHaveLength(limits.retriedTailMax);
    expect(second?.outcome?.tail).toBe(tail);
    const record = shard.machine.record(idOf(1));
    shard.flush();
    expect(decodeTaskRow(shard.row(shard.machine.taskKey(idOf(1)))!)).toEqual(record);
  });

  test('that ended before their start was told say when it was, if it was', () => {
    const shard = submitted(2);
    shard.assign(idOf(1));
    shard.assign(idOf(2));
    shard.finish(idOf(1), 1, anOutcome('failed', { startedAtMs: epochMs + 3 }));
    shard.finish(idOf(2), 1, anOutcome('startFailed', { startedAtMs: epochMs + 3 }));
    const startOf = (n: number) => shard.machine.record(idOf(n))?.attempts[0]?.startedAtMs;
    expect([startOf(1), startOf(2)]).toEqual([epochMs + 3, undefined]);
  });

  test('back off twice as long each time, up to the maximum', () => {
    const backoff = { initialMs: 1_000, maxMs: 60_000 };
    const pauses = [1, 2, 3, 6, 7, 1_000].map(runs => backoffMs(backoff, runs));
    expect(pauses).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
    expect(backoffMs({ initialMs: 0, maxMs: 60_000 }, 5)).toBe(0);
  });

  test('without a back-off are ready at once', () => {
    const shard = submitted(1, aSpec({ attempts: 2 }));
    shard.runOnce(idOf(1), 'failed');
    expect(shard.machine.nextReadyAtMs()).toBeUndefined();
    expect(shard.machine.readyCount(epochMs)).toBe(1);
  });
});

describe('the ready queue', () => {
  test('gives the first of each lane, the lane with the earliest bound first', () => {
    const shard = new TestShard();
    shard.submit([idOf(1), idOf(2)], aSpec({ tier: 'regular' }));
    shard.atMs = 10;
    shard.submit([idOf(9), idOf(5), idOf(7)], aSpec({ tenant: 'other' }));
    shard.atMs = 20;
    shard.submit([idOf(3)]);
    const batches = shard.machine.readyBatches(2, epochMs + 20);
    const shown = batches.map(batch => [
      batch.lane.demand.tier,
      batch.lane.tenant,
      batch.count,
      batch.tasks.map(t => t.id),
    ]);
    expect(shown).toEqual([
      ['regular', 'default', 2, [idOf(1), idOf(2)]],
      ['basic', 'other', 3, [idOf(5), idOf(7)]],
      ['basic', 'default', 1, [idOf(3)]],
    ]);
    expect(batches[1]?.tasks[0]).toEqual({
      id: idOf(5),
      readySinceMs: epochMs + 10,
      boundMs: epochMs + 10 + limits.toleranceMsDefault,
      capMs: 0,
      avoid: [],
    });
    shard.assign(idOf(1));
    shard.assign(idOf(2));
    expect(shard.machine.readyBatches(2, epochMs + 20).map(batch => batch.count)).toEqual([3, 1]);
  });

  test('holds many lanes and forgets those that nobody has', () => {
    const shard = new TestShard();
    for (let n = 1; n <= 600; n++) {
      const request = { ...tierDefaults.basic, cpuMilli: n };
      shard.machine.apply(
        n,
        encodeShardCommand({
          kind: 'submit',
          atMs: epochMs + n,
          actor,
          specs: [specEntry(aSpec({ request }))],
          items: [{ id: idOf(n), spec: 0 }],
        }),
      );
    }
    const batches = shard.machine.readyBatches(1, epochMs + 600);
    expect(batches.map(batch => batch.lane.demand.request.cpuMilli)).toEqual(
      Array.from({ length: 600 }, (_, n) => n + 1),
    );
    const items = Array.from({ length: 600 }, (_, n) => ({ taskId: idOf(n + 1) }));
    const cancel = { kind: 'cancel' as const, atMs: epochMs + 601, actor, items, reason: '' };
    shard.machine.apply(601, encodeShardCommand(cancel));
    expect(shard.machine.readyBatches(1, epochMs + 700)).toEqual([]);
    shard.machine.checkInvariants();
  });
});

describe('a flush', () => {
  test('holds everything that is dirty, also beyond what the driver hoped for', () => {
    const shard = submitted(10);
    expect(shard.machine.dirtyRows).toBe(12);
    expect(shard.machine.dirtyBytes).toBeGreaterThan(10 * 100);
    const flush = shard.machine.takeFlush(3);
    expect(flush?.rows).toHaveLength(12);
    expect(flush?.applied).toBe(1);
    expect([shard.machine.dirtyRows, shard.machine.dirtyBytes]).toEqual([0, 0]);
    expect(shard.machine.takeFlush(3)).toBeUndefined();
  });

  test('is taken as full once the tails of outcomes fill it', () => {
    const shard = submitted(1);
    const before = shard.machine.dirtyBytes;
    shard.runOnce(idOf(1), anOutcome('failed', { tail: 'x'.repeat(4_000) }));
    expect(shard.machine.dirtyBytes - before).toBeGreaterThan(4_000);
  });

  test('lets settled tasks and spec bytes go when it is durable, not before', () => {
    const shard = submitted(2);
    const digest = hex(specEntry(aSpec()).digest);
    shard.runOnce(idOf(1));
    const flush = shard.machine.takeFlush(100)!;
    expect(shard.machine.record(idOf(1))?.state).toBe('succeeded');
    expect(shard.machine.specBytes(digest)).toEqual(specEntry(aSpec()).bytes);
    expect([...shard.machine.hotIds()]).toEqual([idOf(2)]);
    expect([...shard.machine.hotIds({ settled: true })]).toEqual([idOf(1), idOf(2)]);
    shard.machine.flushed(flush.token);
    expect(shard.machine.record(idOf(1))).toBeUndefined();
    expect(shard.machine.record(idOf(2))?.state).toBe('waiting');
    expect(shard.machine.specBytes(digest)).toBeUndefined();
    expect(shard.machine.counts()).toMatchObject({ waiting: 1, succeeded: 1 });
  });

  test('keeps what changed meanwhile until a later flush is durable', () => {
    const shard = submitted(1);
    const first = shard.machine.takeFlush(100)!;
    shard.runOnce(idOf(1));
    const second = shard.machine.takeFlush(100)!;
    shard.machine.flushed(first.token);
    expect(shard.machine.record(idOf(1))?.state).toBe('succeeded');
    shard.machine.checkInvariants();
    shard.machine.flushed(second.token);
    expect(shard.machine.record(idOf(1))).toBeUndefined();
  });

  test('becomes durable in order', () => {
    const shard = submitted(1);
    shard.machine.takeFlush(100);
    shard.assign(idOf(1));
    const second = shard.machine.takeFlush(100)!;
    expect(() => shard.machine.flushed(second.token)).toThrow('not the oldest');
  });

  test('writes the spec of a stream of short tasks once', () => {
    const shard = new TestShard();
    const rows: number[] = [];
    for (let n = 1; n <= 5; n++) {
      shard.submit([idOf(n)]);
      shard.runOnce(idOf(n));
      rows.push(shard.flush());
    }
    expect(rows).toEqual([3, 2, 2, 2, 2]);
  });
});

describe('loading', () => {
  type Rows = readonly (readonly [Uint8Array, Uint8Array])[];

  /** As a node does it, some rows at a time. */
  function loaded(rows: Rows): void {
    const machine = new ShardMachine({ shard: 1 });
    for (let at = 0; at < rows.length; at += 2) machine.loadRows(rows.slice(at, at + 2));
    machine.loaded(1);
  }

  test('notices a task row that is missing', () => {
    const shard = submitted(2);
    shard.runOnce(idOf(1));
    shard.flush();
    const rows = shard.rows().filter(([key]) => hex(key) !== hex(shard.machine.taskKey(idOf(1))));
    expect(() => loaded(rows)).toThrow('rows are missing');
  });

  test('notices a spec or the meta row that is missing, and rows out of order', () => {
    const shard = submitted(1);
    shard.flush();
    const rows = shard.rows();
    const load = (some: typeof rows) => () => loaded(some);
    expect(load(rows.slice(0, -1))).toThrow('the spec of an unsettled task is stored');
    expect(load(rows.slice(1))).toThrow('come with a meta row');
    expect(load(rows.toReversed())).toThrow('key order');
    expect(load([[Uint8Array.of(99), Uint8Array.of(1)]])).toThrow('unknown kind 99');
    expect(load([])).not.toThrow();
  });

  test('leaves settled tasks and unused specs on the disk', () => {
    const shard = submitted(3);
    for (const n of [1, 2]) shard.runOnce(idOf(n));
    shard.flush();
    const machine = shard.restarted();
    expect([...machine.hotIds({ settled: true })]).toEqual([idOf(3)]);
    expect(machine.counts()).toEqual(shard.machine.counts());
    expect(machine.dirtyRows).toBe(0);
    expect([machine.firstSeq, machine.lastSeq]).toEqual([12, 11]);
    expect(machine.eventsAfter(11, 10)).toEqual([]);
    expect(machine.eventsAfter(10, 10)).toBe('expired');
  });
});

describe('events', () => {
  test('are numbered without gaps and kept up to a bound', () => {
    const shard = new TestShard();
    const total = limits.eventsPerShard + 500;
    for (let at = 0; at < total; at += 100) {
      shard.submit(Array.from({ length: 100 }, (_, n) => idOf(at + n)));
    }
    expect(shard.machine.lastSeq).toBe(total);
    expect(shard.machine.firstSeq).toBe(501);
    const events = shard.machine.eventsAfter(500, 10_000);
    expect(events).toHaveLength(limits.eventsPerShard);
    expect(events).not.toBe('expired');
    if (events === 'expired') return;
    expect(events[0]).toMatchObject({ seq: 501, taskId: idOf(500), kind: 'submitted', shard: 1 });
    expect(events.every((event, at) => event.seq === 501 + at)).toBe(true);
    expect(shard.machine.eventsAfter(499, 10)).toBe('expired');
    const page = shard.machine.eventsAfter(600, 2);
    expect(page === 'expired' ? page : page.map(event => event.seq)).toEqual([601, 602]);
    expect(shard.machine.eventsAfter(total, 10)).toEqual([]);
  });
});
