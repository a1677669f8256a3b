import { describe, expect, test } from 'vitest';
import { type Outcome, systemOutcome } from '../../../src/model/attempt.ts';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import { noResources } from '../../../src/model/resources.ts';
import { encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import type { FromWorker } from '../../../src/model/worker-protocol.ts';
import type { RunnerHello } from '../../../src/ports/runner.ts';
import type { WorkerAction } from '../../../src/worker/action.ts';
import { attemptKey } from '../../../src/worker/attempt-ledger.ts';
import { queuePatienceMs } from '../../../src/worker/patience.ts';
import { WorkerReactor } from '../../../src/worker/reactor.ts';
import { reportEveryMs } from '../../../src/worker/reports.ts';

const id = (number: number): TaskId => formatTaskId({ atMs: 1, slot: 1, random: number });
const shard = 3;

const specOf = (cpuMilli: number, changes: Partial<TaskSpec> = {}): Uint8Array =>
  encodeSpec({
    tenant: 'default',
    owner: 'me',
    name: '',
    run: { kind: 'command', argv: ['true'] },
    env: [],
    cwd: '',
    tier: 'basic',
    request: { ...noResources, cpuMilli },
    limit: { ...noResources, cpuMilli },
    labels: [],
    require: [],
    attempts: 1,
    backoff: { initialMs: 0, maxMs: 0 },
    capMs: 0,
    graceMs: 2_000,
    leaseMs: 20_000,
    outputBytesMax: 1_000,
    ...changes,
  });

const succeeded: Outcome = { ...systemOutcome('succeeded', 9, ''), exitCode: 0 };

/** A reactor with 2 CPUs and a leader that can be played by hand. */
class Desk {
  now = 1_000_000;
  readonly reactor = new WorkerReactor({
    node: 'n1',
    total: { ...noResources, cpuMilli: 2_000 },
    prefetchMax: 3,
    runningMax: 16,
  });

  constructor(hello: Partial<RunnerHello> = {}) {
    this.reactor.onHello({ incarnation: 'sup-1', found: [], isolation: {}, ...hello });
  }

  checked(actions: WorkerAction[]): WorkerAction[] {
    this.reactor.invariants();
    return actions;
  }

  /** Newest renewal that was acknowledged: what the leader puts into its dispatches. */
  renewed = 0;

  dispatch(
    number: number,
    fence = 1,
    cpuMilli = 1_000,
    changes: Partial<TaskSpec> & {
      readonly boundInMs?: number;
      readonly immediate?: boolean;
    } = {},
  ) {
    const { boundInMs, immediate, ...parts } = changes;
    const spec = specOf(cpuMilli, parts);
    const told = { boundInMs, immediate };
    const about = { incarnation: 'sup-1', renewed: this.renewed, run: 1, spec, ...told };
    const ref = { shard, taskId: id(number), fence };
    return this.checked(
      this.reactor.onMessage({ kind: 'dispatch', ...ref, ...about }, 'n2', this.now),
    );
  }

  /**
   * Answers the newest renewal in `actions`, confirming all it asks about unless told otherwise.
   */
  acknowledge(actions: WorkerAction[], confirm = true): WorkerAction[] {
    const renewal = sent(actions).findLast(message => message.kind === 'renew');
    if (renewal?.kind !== 'renew') throw new Error('no renewal was sent');
    const { incarnation, sequence, asks } = renewal;
    this.renewed = Math.max(this.renewed, sequence);
    const confirmed = confirm ? asks : [];
    return this.checked(
      this.reactor.onMessage(
        { kind: 'renewAck', shard, incarnation, sequence, confirmed },
        'n2',
        this.now,
      ),
    );
  }

  tick(milliseconds: number): WorkerAction[] {
    this.now += milliseconds;
    return this.checked(this.reactor.tick(this.now));
  }

  /** A live lease without attempts: the state after the first task of a shard. */
  withLease(): this {
    const number = 999_999;
    this.acknowledge(this.dispatch(number));
    this.ended(number);
    this.reportAck(number, true);
    return this;
  }

  ended(number: number, fence = 1): WorkerAction[] {
    return this.checked(this.reactor.onEnded(attemptKey(id(number), fence), succeeded));
  }

  started(number: number, fence = 1): WorkerAction[] {
    return this.checked(this.reactor.onStarted(attemptKey(id(number), fence), 77));
  }

  reportAck(number: number, ended: boolean, fence = 1): WorkerAction[] {
    const ref = { shard, taskId: id(number), fence };
    return this.checked(
      this.reactor.onMessage({ kind: 'reportAck', ...ref, ended }, 'n2', this.now),
    );
  }

  control(number: number, suspended: boolean, capMs?: number): WorkerAction[] {
    const ref = { shard, taskId: id(number), fence: 1 };
    const message = { kind: 'control', ...ref, suspended, capMs } as const;
    return this.checked(this.reactor.onMessage(message, 'n2', this.now));
  }

  end(number: number, reason: 'cancelled' | 'superseded', fence = 1): WorkerAction[] {
    const ref = { shard, taskId: id(number), fence };
    return this.checked(this.reactor.onMessage({ kind: 'end', ...ref, reason }, 'n2', this.now));
  }
}

const sent = (actions: WorkerAction[]): FromWorker[] =>
  actions.flatMap(action => (action.kind === 'send' ? [action.message] : []));
const kinds = (actions: WorkerAction[]): string[] =>
  actions.map(action => {
    if (action.kind !== 'send') return action.kind;
    const { message } = action;
    if (message.kind === 'refused') return `refused ${message.why}`;
    return message.kind === 'ended' ? `ended ${message.outcome.kind}` : message.kind;
  });

describe('leases', () => {
  test('the first dispatch of a shard asks for a renewal and starts once the leader confirms', () => {
    const desk = new Desk();
    const actions = desk.dispatch(1);
    expect(kinds(actions)).toEqual(['accepted', 'renew']);
    expect(kinds(desk.acknowledge(actions))).toEqual(['renewRunner', 'launch']);
  });

  test('a dispatch under a live lease starts at once', () => {
    expect(kinds(new Desk().withLease().dispatch(1))).toEqual(['accepted', 'launch']);
  });

  test('a dispatch that was sent before the present acknowledgement has to be confirmed', () => {
    const desk = new Desk().withLease();
    const renewed = desk.renewed;
    desk.dispatch(1);
    desk.acknowledge(desk.tick(2_000));
    desk.renewed = renewed;
    const actions = desk.dispatch(2);
    expect(kinds(actions)).toEqual(['accepted', 'renew']);
    expect(kinds(desk.acknowledge(actions, false))).toEqual(['renewRunner', 'refused noLease']);
  });

  test('a restarted node does not start what was sent to the process before it', () => {
    const before = new Desk().withLease();
    const desk = new Desk();
    desk.now = before.now + 1_000;
    desk.withLease();
    desk.renewed = before.renewed;
    expect(kinds(desk.dispatch(1))).toEqual(['accepted', 'renew']);
  });

  test('an old dispatch is handed back when the leader no longer confirms it', () => {
    const desk = new Desk();
    const actions = desk.acknowledge(desk.dispatch(1), false);
    expect(kinds(actions)).toEqual(['renewRunner', 'refused noLease']);
    expect(kinds(desk.dispatch(1))).toEqual(['refused noLease']);
  });

  test('the lease of an acknowledgement counts from when its request was sent', () => {
    const desk = new Desk();
    const actions = desk.dispatch(1);
    desk.now += 700;
    const [renew] = desk.acknowledge(actions);
    expect(renew).toEqual({
      kind: 'renewRunner',
      shards: [{ shard, sentBootMs: desk.now - 700 }],
    });
  });

  test('an acknowledgement of an unknown, older or foreign sequence changes nothing', () => {
    const desk = new Desk();
    const first = desk.dispatch(1);
    const second = desk.tick(300);
    desk.acknowledge(second);
    expect(kinds(desk.acknowledge(first))).toEqual([]);
    const foreign = { kind: 'renewAck', shard, sequence: 5, confirmed: [] } as const;
    expect(desk.reactor.onMessage({ ...foreign, incarnation: 'sup-1' }, 'n2', desk.now)).toEqual(
      [],
    );
    const renewal = sent(desk.tick(2_100)).find(message => message.kind === 'renew');
    expect(renewal).toBeDefined();
    if (renewal?.kind !== 'renew') return;
    const { sequence } = renewal;
    const stale = { kind: 'renewAck', shard, sequence, confirmed: [] } as const;
    expect(desk.reactor.onMessage({ ...stale, incarnation: 'other' }, 'n2', desk.now)).toEqual([]);
  });

  test('a queued attempt whose lease lapsed does not start when the lease comes back', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1, 1, 2_000);
    desk.dispatch(2, 1, 2_000);
    const actions = desk.tick(60_000);
    expect(kinds(actions)).toContain('refused noLease');
    desk.acknowledge(actions);
    expect(kinds(desk.ended(1))).toEqual(['ended succeeded']);
  });

  test('a late acknowledgement is not taken for an unbroken lease', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1, 1, 2_000);
    const renewal = desk.tick(2_100);
    desk.dispatch(2, 1, 2_000);
    desk.now += 60_000;
    expect(kinds(desk.acknowledge(renewal))).toEqual(['refused noLease', 'renewRunner']);
  });

  test('an attempt that waits for a lease in vain is handed back after one lease length', () => {
    const desk = new Desk();
    desk.dispatch(1);
    expect(kinds(desk.tick(19_999))).toEqual(['renew']);
    expect(kinds(desk.tick(1))).toEqual(['refused noLease']);
  });

  test('a shard is renewed every two seconds while it has attempts here, and not without', () => {
    const desk = new Desk().withLease();
    expect(kinds(desk.tick(10_000))).toEqual([]);
    desk.dispatch(1);
    desk.started(1);
    desk.reportAck(1, false);
    desk.acknowledge(desk.tick(2_000));
    expect(kinds(desk.tick(1_999))).toEqual([]);
    expect(kinds(desk.tick(1))).toEqual(['renew']);
  });
});

describe('room', () => {
  test('attempts beyond the resources queue in order and start as resources free up', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2, 3, 4]) desk.dispatch(number);
    expect([desk.reactor.running, desk.reactor.queued]).toEqual([2, 2]);
    expect(desk.reactor.free.cpuMilli).toBe(0);
    const launch = desk.ended(2).find(action => action.kind === 'launch');
    expect(launch?.kind === 'launch' && launch.launch.taskId).toBe(id(3));
  });

  test('what is queued starts by class, by the share of its tenant here, and by its bound', () => {
    const desk = new Desk().withLease();
    const [ours, theirs] = [{ tenant: 'ours' }, { tenant: 'theirs' }];
    desk.dispatch(1, 1, 1_000, ours);
    desk.dispatch(2, 1, 1_000, ours);
    desk.dispatch(3, 1, 1_000, { ...ours, boundInMs: 900_000 });
    desk.dispatch(4, 1, 1_000, { ...theirs, boundInMs: 800_000 });
    desk.dispatch(5, 1, 1_000, { ...theirs, boundInMs: 700_000 });
    for (const number of [1, 2]) desk.started(number);
    const next = (number: number): unknown[] =>
      desk
        .ended(number)
        .flatMap(action => (action.kind === 'launch' ? [action.launch.taskId] : []));
    expect(next(1)).toEqual([id(5)]);
    // One of each runs now: of equal shares the earlier bound.
    desk.dispatch(6, 1, 1_000, { ...ours, boundInMs: 60_000 });
    expect(next(2)).toEqual([id(6)]);
    desk.started(5);
    expect(next(5)).toEqual([id(4)]);
  });

  test('what is to start at once is refused where it would have to wait, and not else', () => {
    const desk = new Desk().withLease();
    const atOnce = { immediate: true };
    for (const number of [1, 2]) {
      expect(kinds(desk.dispatch(number, 1, 1_000, atOnce))).toEqual(['accepted', 'launch']);
    }
    expect(kinds(desk.dispatch(3, 1, 1_000, atOnce))).toEqual(['refused noRoom']);
    expect(kinds(desk.dispatch(4))).toEqual(['accepted']);
  });

  test('it takes as many ahead as ended within a tenth of a second, less one', () => {
    const desk = new Desk().withLease();
    desk.tick(500);
    for (const number of [1, 2, 3]) desk.dispatch(number);
    expect(desk.reactor.queueRoom).toBe(0);
    desk.started(1);
    desk.ended(1);
    // One may have ended by chance.
    expect([desk.reactor.queued, desk.reactor.queueRoom]).toEqual([0, 0]);
    desk.started(2);
    desk.ended(2);
    expect(desk.reactor.queueRoom).toBe(1);
    for (const number of [4, 5]) desk.dispatch(number);
    expect([desk.reactor.queued, desk.reactor.queueRoom]).toEqual([1, 0]);
    for (const number of [3, 4, 5]) {
      desk.started(number);
      desk.ended(number);
    }
    // As many as its queue holds at most.
    expect(desk.reactor.queueRoom).toBe(3);
    desk.tick(500);
    expect(desk.reactor.queueRoom).toBe(0);
  });

  test('a full queue refuses, and goes on refusing that fence', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2, 3, 4, 5]) desk.dispatch(number);
    expect(kinds(desk.dispatch(6))).toEqual(['refused noRoom']);
    desk.ended(1);
    desk.ended(2);
    expect(kinds(desk.dispatch(6))).toEqual(['refused noRoom']);
    expect(kinds(desk.dispatch(6, 2))).toEqual(['accepted']);
  });

  test('what queues in vain behind long attempts goes back, so that another node may run it', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2, 3]) desk.dispatch(number);
    for (let passed = 0; passed < queuePatienceMs - 100; passed += 100) {
      expect(kinds(desk.tick(100))).not.toContain('refused waitedTooLong');
    }
    expect(kinds(desk.tick(100))).toContain('refused waitedTooLong');
    expect([desk.reactor.running, desk.reactor.queued]).toEqual([2, 0]);
    expect(kinds(desk.dispatch(3))).toEqual(['refused waitedTooLong']);
  });

  test('more than the node has in total is refused', () => {
    expect(kinds(new Desk().withLease().dispatch(1, 1, 2_001))).toEqual(['refused noRoom']);
  });

  test('draining refuses, hands the queue back and lets what runs run', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2, 3]) desk.dispatch(number);
    expect(kinds(desk.checked(desk.reactor.drain(true)))).toEqual(['refused draining']);
    expect(kinds(desk.dispatch(4))).toEqual(['refused draining']);
    expect(desk.reactor.running).toBe(2);
  });

  test('at the deadline of a drain what runs is asked to end, once', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2]) desk.dispatch(number);
    desk.started(1);
    const end = { kind: 'end', outcomeKind: 'lost' };
    expect(desk.checked(desk.reactor.drain(true, true))).toMatchObject([end, end]);
    expect(desk.checked(desk.reactor.drain(true, true))).toEqual([]);
  });
});

describe('repeats', () => {
  test('a repeated dispatch is accepted again and started once', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1);
    expect(kinds(desk.dispatch(1))).toEqual(['accepted']);
    desk.started(1);
    expect(kinds(desk.dispatch(1))).toEqual(['accepted', 'started']);
    desk.ended(1);
    expect(kinds(desk.dispatch(1))).toEqual(['ended succeeded']);
  });

  test('nothing starts again after its end was acknowledged, nor under a lower fence', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1, 5);
    desk.ended(1, 5);
    expect(kinds(desk.reportAck(1, true, 5))).toEqual(['acknowledge']);
    expect(kinds(desk.dispatch(1, 5))).toEqual(['accepted']);
    expect(kinds(desk.dispatch(1, 4))).toEqual(['refused noLease']);
    expect(desk.reactor.running).toBe(0);
  });

  test('a lower fence does not start after a higher one that is still here', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1, 2);
    expect(kinds(desk.dispatch(1, 1))).toEqual(['refused noLease']);
    desk.ended(1, 2);
    expect(kinds(desk.dispatch(1, 1))).toEqual(['refused noLease']);
  });

  test('reports are repeated every second until they are acknowledged', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1);
    expect(kinds(desk.started(1))).toEqual(['started']);
    expect(kinds(desk.tick(reportEveryMs - 1))).toEqual([]);
    expect(kinds(desk.tick(1))).toContain('started');
    desk.reportAck(1, false);
    expect(kinds(desk.tick(reportEveryMs))).not.toContain('started');
    desk.ended(1);
    expect(kinds(desk.tick(reportEveryMs))).toEqual(['ended succeeded']);
    desk.reportAck(1, true);
    expect(kinds(desk.tick(reportEveryMs))).toEqual([]);
  });

  test('of very many reports each is repeated in its turn, a bounded number at a time', () => {
    const desk = new Desk().withLease();
    for (let number = 1; number <= 400; number++) desk.end(number, 'cancelled');
    const repeated = new Map<string, number>();
    for (let tick = 0; tick < 20; tick++) {
      const reports = sent(desk.tick(tick === 0 ? reportEveryMs : 100));
      expect(reports.length).toBeLessThanOrEqual(128);
      for (const report of reports) {
        if (report.kind !== 'ended') continue;
        repeated.set(report.taskId, (repeated.get(report.taskId) ?? 0) + 1);
      }
    }
    expect(repeated.size).toBe(400);
    expect([...repeated.values()].every(times => times >= 2)).toBe(true);
  });

  test('a higher fence waits until the lower one is gone from this node', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1, 1);
    expect(kinds(desk.dispatch(1, 2))).toEqual(['end', 'accepted']);
    expect(kinds(desk.ended(1, 1))).toEqual(['ended succeeded', 'launch']);
  });
});

describe('ends', () => {
  test('a queued attempt that is cancelled never starts', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2, 3]) desk.dispatch(number);
    expect(kinds(desk.end(3, 'cancelled'))).toEqual(['ended cancelled']);
    expect(kinds(desk.ended(1))).toEqual(['ended succeeded']);
  });

  test('a running attempt is ended once, however often that is asked', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1);
    expect(desk.end(1, 'cancelled')).toEqual([
      { kind: 'end', key: attemptKey(id(1), 1), outcomeKind: 'cancelled' },
    ]);
    expect(desk.end(1, 'cancelled')).toEqual([]);
  });

  test('the end of an attempt that is not here is reported lost, and it cannot start later', () => {
    const desk = new Desk().withLease();
    expect(kinds(desk.end(1, 'superseded'))).toEqual(['ended lost']);
    expect(kinds(desk.dispatch(1))).toEqual(['ended lost']);
    desk.reportAck(1, true);
    expect(kinds(desk.dispatch(1))).toEqual(['accepted']);
    expect(desk.reactor.running).toBe(0);
  });
});

describe('supervisors', () => {
  test('nothing is answered before the supervisor has told what it runs', () => {
    const reactor = new WorkerReactor({
      node: 'n1',
      total: { ...noResources, cpuMilli: 2_000 },
      prefetchMax: 3,
      runningMax: 16,
    });
    const ref = { shard, taskId: id(1), fence: 4 };
    const end = { kind: 'end', ...ref, reason: 'cancelled' } as const;
    const named = { incarnation: 'sup-1', renewed: 0, run: 1, spec: specOf(1_000) };
    expect(reactor.onMessage({ kind: 'dispatch', ...ref, ...named }, 'n2', 5)).toEqual([]);
    expect(reactor.onMessage(end, 'n2', 5)).toEqual([]);
    const request = { ...noResources, cpuMilli: 1_500 };
    const found = [{ ...ref, key: attemptKey(id(1), 4), request, startedAtMs: 5 }];
    const hello = { incarnation: 'sup-1', found, isolation: {} };
    expect(kinds(reactor.onHello(hello))).toEqual(['started']);
    expect(kinds(reactor.onMessage(end, 'n2', 6))).toEqual(['end']);
    reactor.invariants();
  });

  test('a dispatch for another supervisor is refused', () => {
    const desk = new Desk({ incarnation: 'sup-2' });
    expect(kinds(desk.dispatch(1))).toEqual(['refused wrongIncarnation']);
  });

  test('with a new supervisor all that ran is lost and all that waited goes back', () => {
    const desk = new Desk().withLease();
    for (const number of [1, 2, 3]) desk.dispatch(number);
    desk.started(1);
    const record = { key: attemptKey(id(2), 1), shard, taskId: id(2), fence: 1 };
    const found = [{ ...record, request: noResources, startedAtMs: 5, outcome: succeeded }];
    const hello = { incarnation: 'sup-2', found, isolation: {} };
    const actions = desk.checked(desk.reactor.onSupervisor(hello));
    expect(kinds(actions)).toEqual(['refused wrongIncarnation', 'ended lost', 'ended succeeded']);
    expect(desk.reactor.allocated).toEqual(noResources);
  });

  test('what a restarted node finds is held, renewed and reported', () => {
    const request = { ...noResources, cpuMilli: 1_500 };
    const common = { shard, fence: 4, request, startedAtMs: 5 };
    const reactor = new WorkerReactor({
      node: 'n1',
      total: { ...noResources, cpuMilli: 2_000 },
      prefetchMax: 3,
      runningMax: 16,
    });
    const actions = reactor.onHello({
      incarnation: 'sup-1',
      isolation: {},
      found: [
        { ...common, key: attemptKey(id(1), 4), taskId: id(1) },
        { ...common, key: attemptKey(id(2), 4), taskId: id(2), outcome: succeeded },
      ],
    });
    expect(kinds(actions)).toEqual(['started', 'ended succeeded']);
    expect([reactor.running, reactor.free.cpuMilli]).toEqual([1, 500]);
    expect(kinds(reactor.tick(5_000))).toContain('renew');
    reactor.onEnded(attemptKey(id(1), 4), succeeded);
    expect(reactor.free.cpuMilli).toBe(2_000);
    reactor.invariants();
  });
});

describe('an attempt that is told how to go on', () => {
  const key = attemptKey(id(1), 1);

  test('is told to its supervisor while it has a process, and answered once that obeys', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1);
    const control = { suspended: true, capMs: 300 };
    expect(desk.control(1, true, 300)).toEqual([{ kind: 'control', key, control }]);
    desk.started(1);
    expect(kinds(desk.control(1, false))).toEqual(['control']);
    const [action] = desk.checked(desk.reactor.onControlled(key, control));
    const told = { kind: 'controlled', shard, taskId: id(1), fence: 1, ...control };
    expect(action).toEqual({ kind: 'send', shard, message: told });
    desk.ended(1);
    expect(desk.reactor.onControlled(key, control)).toEqual([]);
    expect(kinds(desk.control(1, true))).toEqual(['ended succeeded']);
  });

  test('says with every renewal what it does, until it is over, and after a restart of its node', () => {
    const desk = new Desk().withLease();
    desk.dispatch(1);
    desk.started(1);
    const said = (of: Desk) =>
      Array.from({ length: 30 }, () => {
        of.now += 100;
        return of.reactor.tick(of.now);
      })
        .flat()
        .filter(action => action.kind === 'send' && action.message.kind === 'controlled');
    expect(said(desk)).toEqual([]);
    const control = { suspended: true, capMs: undefined };
    desk.reactor.onControlled(key, control);
    const again = said(desk);
    expect(again.length).toBeGreaterThanOrEqual(1);
    expect(again[0]).toMatchObject({ shard, message: { taskId: id(1), fence: 1, ...control } });
    desk.reactor.onControlled(key, { ...control, suspended: false });
    expect(said(desk)[0]).toMatchObject({ message: { suspended: false } });
    desk.ended(1);
    expect(said(desk)).toEqual([]);
    const request = { ...noResources, cpuMilli: 500 };
    const found = { key, shard, taskId: id(1), fence: 1, request, startedAtMs: 5, control };
    expect(said(new Desk({ found: [found] }))[0]).toMatchObject({ message: control });
  });

  test('goes back where it was not started, and is no matter where it is not known', () => {
    const desk = new Desk();
    desk.dispatch(1);
    expect(kinds(desk.control(1, true))).toEqual(['refused paused']);
    expect(kinds(desk.dispatch(1))).toEqual(['refused paused']);
    // One that is not known may have run before this node was started: nothing is said of it.
    expect(kinds(desk.control(2, true, 300))).toEqual([]);
  });

  test('is launched with the cap that came while it waited', () => {
    const desk = new Desk();
    const actions = desk.dispatch(1);
    expect(kinds(desk.control(1, false, 300))).toEqual(['controlled']);
    const launch = desk.acknowledge(actions).find(action => action.kind === 'launch');
    expect(launch?.kind === 'launch' && launch.launch.spec.capMs).toBe(300);
  });
});
