/**
 * Random histories of a shard: the machine agrees with a plain model, and a replica that loaded
 * rows and replayed the rest of the log agrees with one that applied everything.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeShardCommand, type ItemReply } from '../../src/model/command.ts';
import { countedIn } from '../../src/model/hour.ts';
import type { TaskId } from '../../src/model/ids.ts';
import { decodeSpec } from '../../src/model/spec.ts';
import { holdBit, isSettled, type TaskView, taskStates } from '../../src/model/task.ts';
import { FairWalk } from '../../src/placement/order.ts';
import type { ShardMachine } from '../../src/shard/machine.ts';
import { decodeTaskRow } from '../../src/shard/record.ts';
import { toView } from '../../src/shard/view.ts';
import { epochMs, TestShard } from '../support/shard.ts';
import { commandOf, history, ids, type Turn } from './shard-commands.ts';
import { isHeld, type ModelReply, ShardModel } from './shard-model.ts';

const runs = 80;
/** A few seconds, where nothing else runs. */
const patienceMs = 300_000;

function plain(reply: ItemReply): ModelReply {
  const { taskId } = reply;
  if (!reply.ok) return { said: reply.code, taskId };
  if (reply.repeated) return { said: 'repeated', taskId };
  return { said: 'ok', taskId, fence: reply.fence };
}

/** Applies the step of a turn to a shard; the fences come from `model`, which is applied too. */
function play(shard: TestShard, model: ShardModel, turn: Turn): void {
  shard.atMs = Math.max(0, shard.atMs + turn.afterMs);
  const { replies } = shard.apply(commandOf(turn.step, id => model.tasks.get(id)));
  const wanted = model.apply(decodeShardCommand(shard.log.at(-1)!));
  expect(replies.map(plain)).toEqual(wanted);
}

function readyIds(machine: ShardMachine, nowMs: number): TaskId[] {
  const batches = machine.readyBatches(100, nowMs);
  const walk = new FairWalk({
    batches,
    draw: () => 0.5,
    nowMs,
    total: [],
    shareOf: () => ({ held: [], weight: 1 }),
  });
  const found: TaskId[] = [];
  for (let next = walk.current; next !== undefined; next = walk.current) {
    found.push(next.task.id);
    walk.placed();
  }
  return found;
}

/** What both can be asked about every task, in one value: one comparison a step is fast. */
function tasksOf(machine: ShardMachine, model: ShardModel): [unknown, unknown] {
  const told: unknown[] = [ids.filter(id => machine.knows(id)), machine.deadLetters];
  const dead = ids.filter(id => model.tasks.get(id)?.deadLetter);
  const wanted: unknown[] = [ids.filter(id => model.tasks.has(id)), dead.length];
  told.push(ids.filter(id => machine.isDeadLetter(id)));
  wanted.push(dead);
  for (const task of model.tasks.values()) {
    const id = task.id as TaskId;
    const record = machine.record(id);
    if (record === undefined) {
      told.push(undefined);
      wanted.push(isSettled(task.state) ? undefined : task);
      continue;
    }
    const { state, fence, runs, lost } = task;
    const { state: toldState, fence: toldFence, runs: toldRuns, lost: toldLost } = record;
    const live = machine.attempt(id, fence);
    const ended = record.attempts.filter(attempt => attempt.outcome !== undefined);
    told.push(id, toldState, toldFence, toldRuns, toldLost, record.avoid, live?.node);
    wanted.push(task.id, state, fence, runs, lost, task.avoid.slice(-8), task.node);
    const others = record.holds & ~holdBit('gang');
    told.push(record.supervisorsLost ?? 0, !isSettled(toldState) && others !== 0);
    wanted.push(task.supervisorsLost, !isSettled(state) && isHeld(task));
    told.push(live?.ending, live?.suspended, live?.toSuspend, record.pause?.suspend);
    const ending = task.cancelled ? 'cancelled' : task.recall && 'superseded';
    const suspend = task.paused === 'no' ? undefined : task.paused === 'suspend';
    wanted.push(live && ending, live && task.suspended, live && suspend === true, suspend);
    told.push(record.boundMissed === true);
    wanted.push(task.missed);
    told.push(record.update?.overrides ?? {});
    wanted.push(task.changed);
    told.push(ended.map(attempt => [attempt.fence, attempt.node, attempt.outcome?.kind]));
    wanted.push(task.ended.map(attempt => [attempt.fence, attempt.node, attempt.kind]));
  }
  return [told, wanted];
}

function queueOf(machine: ShardMachine, model: ShardModel, nowMs: number): [unknown, unknown] {
  const ready = model.ready(nowMs);
  const later = model
    .queued()
    .filter(task => task.backedOff && task.readySinceMs > nowMs)
    .filter(task => !isHeld(task))
    .map(task => task.readySinceMs);
  const told = {
    ready: readyIds(machine, nowMs),
    count: machine.readyCount(nowMs),
    positions: ids.map(id => machine.position(id, nowMs)?.position ?? 0),
    due: machine
      .overdue(nowMs, 100)
      .map(({ taskId }) => taskId)
      .sort(),
    next: machine.nextReadyAtMs(),
  };
  const wanted = {
    ready,
    count: ready.length,
    positions: ids.map(id => ready.indexOf(id) + 1),
    due: model.due(nowMs),
    next: later.length === 0 ? undefined : Math.min(...later),
  };
  return [told, wanted];
}

describe('a shard and its plain model', () => {
  test(
    'agree on every reply, every task and the ready queue',
    () => {
      fc.assert(
        fc.property(history, turns => {
          const shard = new TestShard();
          const model = new ShardModel();
          let nowMs = 0;
          for (const turn of turns) {
            play(shard, model, turn);
            const counts = taskStates.map(state => [state, model.count(state)]);
            expect(shard.machine.counts()).toEqual(Object.fromEntries(counts));
            expect(shard.machine.nowMs).toBe(model.nowMs);
            for (const tenant of ['a', 'b']) {
              const oldest = Math.floor(model.nowMs / 60_000) - 60;
              const charged = model.charges
                .filter(charge => charge.tenant === tenant && charge.minute >= oldest)
                .reduce((sum, charge) => sum + charge.count, 0);
              expect(countedIn(shard.machine.hourBudget(tenant), model.nowMs)).toBe(charged);
            }
            const [told, wanted] = tasksOf(shard.machine, model);
            expect(told).toEqual(wanted);
            if (turn.store !== 'nothing') shard.flush();
            nowMs = Math.max(nowMs, model.nowMs + (turn.store === 'take' ? 1_500 : 0));
            const [toldQueue, wantedQueue] = queueOf(shard.machine, model, nowMs);
            expect(toldQueue).toEqual(wantedQueue);
          }
        }),
        { numRuns: runs },
      );
    },
    patienceMs,
  );
});

function view(shard: TestShard, machine: ShardMachine, id: TaskId): TaskView | undefined {
  // Its row may be there still: it goes with the next flush.
  if (!machine.knows(id)) return undefined;
  const row = shard.row(machine.taskKey(id));
  const record = machine.record(id) ?? (row && decodeTaskRow(row));
  if (record === undefined) return undefined;
  const bytes = machine.specBytes(record.digest) ?? shard.row(machine.specKey(record.digest));
  return toView(record, decodeSpec(bytes!), { shard: 1, stale: false });
}

/** Everything a replica can be asked, but what only the age of its memory decides. */
function answers(shard: TestShard, machine: ShardMachine, nowMs: number): unknown {
  return {
    applied: machine.applied,
    nowMs: machine.nowMs,
    digest: machine.digest(),
    counts: machine.counts(),
    lastSeq: machine.lastSeq,
    views: ids.map(id => view(shard, machine, id)),
    hot: [...machine.hotIds()],
    deadLetters: ids.filter(id => machine.isDeadLetter(id)),
    ahead: ids.map(id => machine.aheadInLine(id)),
    rules: machine.rules,
    newestFirst: [...machine.hotIds({ reverse: true, after: ids[5] })],
    live: machine.liveAttempts(),
    liveOnOne: machine.liveAttemptsOn('n1'),
    ready: machine.readyBatches(3, nowMs),
    nextReadyAtMs: machine.nextReadyAtMs(),
    overdue: machine.overdue(nowMs + 60_000, 100),
    use: [...machine.uses.all()].sort(),
    held: [...machine.uses.held()].sort(),
    positions: ids.map(id => machine.position(id, nowMs)),
  };
}

describe('a shard that was restarted from its rows', () => {
  test(
    'answers everything as the one that ran on, and stores the same rows',
    () => {
      fc.assert(
        fc.property(history, turns => {
          const shard = new TestShard();
          const model = new ShardModel();
          const underWay: number[] = [];
          let nowMs = 0;
          for (const turn of turns) {
            play(shard, model, turn);
            if (turn.store === 'done') {
              const token = underWay.shift();
              if (token !== undefined) shard.machine.flushed(token);
              shard.machine.checkInvariants();
            }
            if (turn.store === 'take') {
              const flush = shard.machine.takeFlush(5_000);
              if (flush) {
                shard.store(flush);
                underWay.push(flush.token);
              }
            }
            if (turn.store !== 'restart') continue;
            const other = shard.restarted();
            // A leader's clock that goes back finds back-offs over that ended before.
            nowMs = Math.max(nowMs, epochMs + shard.atMs);
            expect(answers(shard, other, nowMs)).toEqual(answers(shard, shard.machine, nowMs));
            const events = other.eventsAfter(other.firstSeq - 1, 10_000);
            expect(events).toEqual(shard.machine.eventsAfter(other.firstSeq - 1, 10_000));
          }
          const other = shard.restarted();
          const twin = new TestShard();
          twin.machine = other;
          for (const [key, value] of shard.stored) twin.stored.set(key, value);
          twin.flush();
          for (const token of underWay) shard.machine.flushed(token);
          shard.flush();
          expect(twin.rows()).toEqual(shard.rows());
        }),
        { numRuns: runs },
      );
    },
    patienceMs,
  );
});
