/**
 * What always holds of a shard's state. Checked after every step in tests and simulations; a
 * violation is a bug, told by the first sentence that does not hold.
 */
import { assert } from '../model/assert.ts';
import { attemptOf } from '../model/attempt.ts';
import { limits } from '../model/limits.ts';
import { resourceNames } from '../model/resources.ts';
import { holdBit } from '../model/task.ts';
import { workflowTaskId } from '../model/workflow.ts';
import { checkSchedules } from './firing.ts';
import { idWordCount } from './memory/id-words.ts';
import { isSettledCode, none, stateCode } from './memory/task-table.ts';
import { type TenantUse, TenantUses } from './memory/tenant-use.ts';
import { traitsOf } from './memory/traits-of.ts';
import { lookup, type ShardState } from './state.ts';
import { attemptsOf } from './terms.ts';
import { endAt, type Workflow } from './workflows.ts';

export function checkState(state: ShardState): void {
  const { table } = state;
  const counts = state.counts.map(() => 0);
  const uses = new Map<number, number>();
  const settledUses = new Map<number, number>();
  const held = new TenantUses();
  let rows = 0;
  for (let row = 0; row < table.rowsEnd; row++) {
    if (!table.isTask(row)) continue;
    rows++;
    counts[table.state(row)]!++;
    held.enter(state.specs.traits(table.spec(row)), table.state(row));
    const spec = table.spec(row);
    uses.set(spec, (uses.get(spec) ?? 0) + 1);
    if (isSettledCode(table.state(row))) settledUses.set(spec, (settledUses.get(spec) ?? 0) + 1);
    checkTask(state, row);
  }
  assert(rows === table.size, 'the table counts its rows');
  for (const code of [stateCode.waiting, stateCode.assigned, stateCode.running]) {
    assert(counts[code] === state.counts[code], `counter ${code} counts the tasks in that state`);
  }
  for (const [tenant, use] of [...held.all(), ...state.uses.all()]) {
    const counted = state.uses.of(tenant);
    const same = (Object.keys(use) as (keyof TenantUse)[]).every(
      name => held.of(tenant)[name] === counted[name],
    );
    assert(same, `what the tasks of ${tenant} hold is counted`);
  }
  const heldNow = new Map(state.uses.held());
  for (const [tenant, amounts] of held.held()) {
    const counted = heldNow.get(tenant);
    const same = resourceNames.every(name => amounts[name] === counted?.[name]);
    assert(same, `every resource that ${tenant} holds is counted`);
  }
  const settled = state.counts.slice(stateCode.succeeded).reduce((sum, count) => sum + count, 0);
  assert(settled === state.settled.size, 'every settled ID is known, and no other');
  assert(settled === state.settledSpecs.tasks, 'every settled task is counted with its spec');
  assert(state.expired.toMs <= state.nowMs, 'what expired was submitted in the past');
  const digest = new Uint32Array(4);
  for (const [spec, count] of uses) {
    assert(state.specs.uses(spec) === count, 'a spec counts the tasks that use it');
  }
  for (const [spec, count] of settledUses) {
    state.specs.copyDigest(spec, digest);
    assert(state.settledSpecs.count(digest) >= count, 'the row of a spec that is used stays');
  }
  checkQueue(state);
  checkLive(state);
  checkLines(state);
  assert(state.deadLetters.size <= state.counts[stateCode.failed]!, 'a dead letter failed');
  checkSchedules(state);
  state.gangs.check();
  checkWorkflows(state);
  assert(state.settledNow.length === 0, 'whoever waits for a settled task has heard of it');
  for (const row of state.flush.dirtyRows()) {
    assert(table.isTask(row) && table.isDirty(row), 'what is to be written is in memory');
  }
}

function checkTask(state: ShardState, row: number): void {
  const { table, specs } = state;
  const words = new Uint32Array(idWordCount);
  table.copyWords(row, words);
  const id = table.id(row);
  assert(table.find(words) === row, `${id} is found by its ID`);
  const code = table.state(row);
  const detail = table.detail(row);
  const isLive = code === stateCode.assigned || code === stateCode.running;
  assert(isSettledCode(code) === state.settled.has(words), `${id} is settled exactly once`);
  assert((detail?.live !== undefined) === isLive, `${id} has a live attempt while it should`);
  if (detail?.live) {
    assert(detail.live.fence === table.fence(row), `the live attempt of ${id} has its fence`);
    assert(detail.live.outcome === undefined, `the live attempt of ${id} has no outcome`);
    const isRunning = detail.live.startedAtMs !== undefined;
    assert(isRunning === (code === stateCode.running), `${id} runs once it started`);
  }
  const ended = detail?.ended ?? [];
  assert(ended.length <= limits.attemptsKept, `${id} keeps a bounded history`);
  assert((detail?.avoid.length ?? 0) <= limits.avoidMax, `${id} avoids a bounded number of nodes`);
  ended.forEach((attempt, position) => {
    assert(attempt.outcome !== undefined, `ended attempts of ${id} have an outcome`);
    const next = ended[position + 1]?.fence ?? table.fence(row) + (isLive ? 0 : 1);
    assert(attempt.fence < next, `fences of ${id} grow`);
  });
  assert(table.runs(row) <= attemptsOf(state, row), `${id} runs at most as often as asked`);
  assert(table.lost(row) <= limits.lostMax, `${id} is lost at most as often as allowed`);
  const supervisors = detail?.supervisorsLost ?? 0;
  assert(supervisors <= table.lost(row), `an attempt of ${id} whose supervisor ended is lost`);
  assert(
    table.runs(row) + table.lost(row) <= attemptOf(table.fence(row)),
    `every run of ${id} had a fence`,
  );
  const dependency = detail?.dependency;
  assert(!dependency || !isSettledCode(code), `${id} waits for nobody once it settled`);
  const waits = (dependency?.unmet ?? 0) > 0;
  const held = (table.holds(row) & holdBit('dependency')) !== 0;
  assert(waits === held, `${id} is held while it waits for others`);
  assert(!waits || code === stateCode.waiting, `${id} does not run before those it waits for`);
  assert(!detail?.dependents || !isSettledCode(code), `all were told that ${id} settled`);
  const isWaiting = code === stateCode.waiting;
  assert(!isWaiting || detail?.cancelRequested === undefined, `a cancelled ${id} does not wait`);
  assert(isWaiting || !table.isBackedOff(row), `only a waiting ${id} backs off`);
  assert(state.due.isWatched(row) === state.due.has(row), `${id} is watched until it starts`);
  const isHeld = table.holds(row) !== 0;
  assert((isWaiting && !isHeld) === (table.place(row) !== none), `${id} is queued while it waits`);
  assert(!isHeld || !isSettledCode(code), `nothing holds ${id} once it settled`);
  const isPaused = (table.holds(row) & holdBit('paused')) !== 0;
  const mayPass = isSettledCode(code) || detail?.pause === undefined;
  assert(mayPass || isPaused, `${id} is held while it is paused`);
  assert(isLive || detail?.suspended !== true, `only a live attempt of ${id} is suspended`);
  const key = specs.key(table.spec(row));
  if (key === undefined) return;
  const owner = new Uint32Array(idWordCount);
  assert(state.keys.find(key.high, key.low, owner), `the key of ${id} is known`);
  assert(
    owner.every((word, at) => word === words[at]),
    `the key of ${id} is its own`,
  );
}

function checkQueue(state: ShardState): void {
  const { table, ready, specs } = state;
  let queued = 0;
  for (const { lane, heap } of ready.heaps()) {
    for (let place = 0; place < heap.size; place++) {
      const row = heap.at(place);
      assert(table.place(row) === place, 'a queued task knows its place');
      assert(table.state(row) === stateCode.waiting, 'what is queued waits');
      const parent = heap.at((place - 1) >>> 1);
      if (place > 0) {
        const order = lane === undefined ? table : ready;
        assert(order.isBefore(parent, row), 'a queue is in order');
      }
      const isOfLane = traitsOf(table, specs, row).lane === lane;
      assert(lane === undefined ? table.isBackedOff(row) : isOfLane, 'queued where it belongs');
      queued++;
    }
  }
  assert(queued === ready.size, 'the queue counts its tasks');
  const waiting = queued + state.held;
  assert(waiting === state.counts[stateCode.waiting], 'every waiting task is queued or held');
}

function checkLines({ table, specs, lines }: ShardState): void {
  let inLine = 0;
  for (const { key, places } of lines.lines()) {
    assert(places.length > 0 && places.length === lines.length(key), 'a line counts its tasks');
    let open = 0;
    let number = 0;
    for (const place of places) {
      const id = table.id(place.row);
      const line = specs.line(table.spec(place.row));
      assert(
        line?.hash === key && line.width === place.width,
        `${id} stands in the line of its key`,
      );
      assert(!isSettledCode(table.state(place.row)), `${id} left its line when it settled`);
      assert(place.number > number, `places of the line of ${id} grow`);
      ({ number } = place);
      const isHeld = (table.holds(place.row) & holdBit(line.hold)) !== 0;
      assert(isHeld === place.isHeld, `${id} is held as its line says`);
      assert(!isHeld || table.state(place.row) === stateCode.waiting, `${id} waits for its turn`);
      if (!isHeld) assert(open++ < line.width, `${id} was let go with as many as it allows`);
    }
    const first = places[open];
    assert(
      places.every((place, at) => place.isHeld === at >= open),
      'the front was let go',
    );
    assert(first === undefined || open >= first.width, 'nobody is held without a reason');
    inLine += places.length;
  }
  assert(inLine === lines.size, 'a task stands in one line');
}

function checkLive(state: ShardState): void {
  const live = state.attempts.rows();
  const wanted = state.counts[stateCode.assigned]! + state.counts[stateCode.running]!;
  assert(live.length === wanted, 'every live attempt is indexed by its node');
  for (const row of live) assert(state.live(row) !== undefined, 'what is indexed is live');
}

function checkWorkflows(state: ShardState): void {
  for (const workflow of state.workflows.all()) {
    if (workflow.settledAtMs === 0) checkWorkflow(state, workflow);
  }
}

function checkWorkflow(state: ShardState, workflow: Workflow): void {
  const { id, total } = workflow.head;
  assert(workflow.received <= total, `workflow ${id} has no more tasks than were said`);
  const isWhole = workflow.received === total;
  assert(isWhole === (workflow.state === 'running'), `workflow ${id} runs once it is whole`);
  let open = 0;
  for (let index = 0; index < workflow.received; index++) {
    const found = state.lookUp(workflowTaskId(id, index));
    assert(found !== lookup.unknown, `task ${index} of workflow ${id} is in the history`);
    const isOpen = endAt(workflow, index) === undefined;
    assert(isOpen === found >= 0, `workflow ${id} knows whether task ${index} has settled`);
    if (!isOpen) continue;
    open++;
    const dependency = state.table.detail(found)?.dependency;
    const parents = workflow.parents[index]!;
    const wanted =
      parents.filter(parent => endAt(workflow, parent) === undefined).length +
      (dependency?.awaited.length ?? 0) +
      (isWhole ? 0 : 1);
    assert(dependency?.unmet === wanted, `task ${index} of workflow ${id} counts its parents`);
  }
  assert(open === workflow.open, `workflow ${id} counts its open tasks`);
}
