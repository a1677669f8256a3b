/** Bugs of shards, of leases and of workers. */
import type { Mutant } from './mutant.ts';

const reactor = 'src/worker/reactor.ts';
const leader = 'src/node/shard-leader.ts';
const ledger = 'src/worker/attempt-ledger.ts';

const restarts = {
  nodes: 3,
  shards: 2,
  skewedClocks: false,
  faults: ['crash', 'powerLoss', 'stop'],
  faultEveryMs: 1_000,
  requestEveryMs: 60,
  longFaults: false,
  longTaskPercent: 5,
} as const;

const repeats = {
  nodes: 3,
  shards: 2,
  skewedClocks: false,
  faults: [],
  longFaults: false,
  longTaskPercent: 0,
  duplicatePercent: 50,
  reorderPercent: 50,
  delayMsMax: 3_000,
  requestEveryMs: 20,
  events: 12_000,
} as const;

export const taskMutants: readonly Mutant[] = [
  {
    name: 'expired-id-runs-again',
    sentence:
      'A submit that is repeated after its task expired makes another one under the same ID.',
    file: 'src/shard/commands/submit.ts',
    search: 'timeOfId(item.id) <= state.expired.toMs',
    replacement: 'timeOfId(item.id) < 0',
    in: 'history',
  },
  {
    name: 'spec-goes-with-any-task',
    sentence: 'The row of a spec is deleted though a task that has it still waits or runs.',
    file: 'src/shard/commands/expire.ts',
    search: 'specs.uses(spec) > 0',
    replacement: 'specs.uses(spec) > 1_000',
    in: 'history',
  },
  {
    name: 'expired-key-stays',
    sentence: 'The idempotency key of a task that expired stays with it.',
    file: 'src/shard/commands/expire.ts',
    search: '  if (item.keyHash) state.keys',
    replacement: '  if (item.keyHash && words.length === 0) state.keys',
    in: 'history',
  },
  {
    name: 'fence-not-checked-in-finish',
    sentence: 'The end of an attempt ends whichever attempt of the task lives now.',
    file: 'src/shard/commands/finish.ts',
    search: '    if (state.live(row)?.fence === fence) {',
    replacement: '    if (state.live(row) !== undefined) {',
    in: 'lateFrames',
  },
  {
    name: 'fence-not-checked-in-start',
    sentence: 'The start of an attempt marks whichever attempt of the task lives now.',
    file: 'src/shard/commands/start.ts',
    search:
      "    if (state.live(row)?.fence !== fence) return refuse(taskId, 'badRequest', 'stale fence');",
    replacement:
      "    if (state.live(row) === undefined) return refuse(taskId, 'badRequest', 'stale fence');",
    options: { ...repeats, longTaskPercent: 5 },
  },
  {
    name: 'assigned-twice',
    sentence: 'A task that does not wait is assigned again.',
    file: 'src/shard/commands/assign.ts',
    search: '    if (state.table.state(row) !== stateCode.waiting) {',
    replacement: '    if (state.table.state(row) > 99) {',
    also: [
      {
        file: 'src/node/scheduler.ts',
        search: '      this.placing.set(taskId, { tenant, node, demand });',
        replacement: '',
      },
    ],
    options: {
      shards: 2,
      growUnderLoad: false,
      longFaults: false,
      nodes: 3,
      faults: ['transfer', 'pause', 'partition'],
      faultEveryMs: 400,
      requestEveryMs: 20,
    },
  },
  {
    name: 'submit-not-known-by-id',
    sentence: 'A repeated submit makes the task again.',
    file: 'src/shard/commands/submit.ts',
    search: '  if (found !== lookup.unknown) {',
    replacement: '  if (found === lookup.settled) {',
  },
  {
    name: 'settled-task-submitted-again',
    sentence: 'A submit that is repeated after the task has settled makes it again.',
    file: 'src/shard/commands/submit.ts',
    search: '  if (found !== lookup.unknown) {',
    replacement: '  if (found >= 0) {',
  },
  {
    name: 'key-makes-two-tasks',
    sentence: 'An idempotency key makes a task for each submit.',
    file: 'src/shard/commands/submit.ts',
    search: '    if (repeat !== undefined) return repeat;',
    replacement: '    if (repeat?.ok === false) return repeat;',
  },
  {
    name: 'outcome-overwritten',
    sentence: 'A cancel settles a task that runs, and its attempt settles it again.',
    file: 'src/shard/commands/cancel.ts',
    search: '  if (live !== undefined) {',
    replacement: '  if (live !== undefined && live.startedAtMs === undefined) {',
  },
  {
    name: 'success-told-as-cancelled-late',
    sentence: 'A cancelled attempt lets its task run again.',
    file: 'src/shard/commands/end-attempt.ts',
    search: "  if (request !== undefined || outcome.kind === 'cancelled') {",
    replacement: "  if (outcome.kind === 'cancelled') {",
    options: {
      requestEveryMs: 20,
      longTaskPercent: 50,
      faults: ['supervisorCrash', 'crash'],
      faultEveryMs: 400,
    },
  },
  {
    name: 'start-not-stored',
    sentence: 'The start of an attempt is not written with the state.',
    file: 'src/shard/state.ts',
    search:
      '    this.#setState(row, stateCode.running);\n    this.due.refresh(row);\n' +
      '    this.flush.markTask(row);',
    replacement: '    this.#setState(row, stateCode.running);\n    this.due.refresh(row);',
    options: { ...restarts, longTaskPercent: 50 },
  },
  {
    name: 'lease-renewed-without-majority',
    sentence: 'A leader acknowledges renewals without asking its majority.',
    file: leader,
    search: '    await this.#context.loop.read(this.replica);\n    if (this.#stopped) return;',
    replacement: '    if (this.#stopped) return;',
    also: [
      {
        file: 'src/raft/leader.ts',
        search: '  if (!replica.peers.quorumActive(replica.conf)) replica.becomeFollower',
        replacement: '  if (replica.term === 0) replica.becomeFollower',
      },
    ],
    in: 'leases',
  },
  {
    name: 'lost-too-early',
    sentence: 'A leader declares an attempt lost while its lease may live.',
    file: leader,
    search: '      if (nowMs - fromMs <= live.leaseMs * 1.1 + 1_000) continue;',
    replacement: '      if (nowMs - fromMs <= live.leaseMs * 0.6) continue;',
    in: 'leases',
  },
  {
    name: 'lease-lasts-too-long',
    sentence: 'A supervisor lets attempts live three times as long as their leases.',
    file: 'src/worker/lease.ts',
    search: '  return sentBootMs + Math.floor((leaseMs * 9) / 10)',
    replacement: '  return sentBootMs + Math.floor((leaseMs * 30) / 10)',
    in: 'leases',
  },
  {
    name: 'resources-not-counted',
    sentence: 'A worker starts more than its machine has room for.',
    file: ledger,
    search: '    return firstShortage(request, open) === undefined;',
    replacement: '    return firstShortage(request, open) === undefined || this.holding < 8;',
  },
  {
    name: 'released-twice',
    sentence: 'An attempt that waited gives back resources that it never had.',
    file: ledger,
    search: '    if (!holdsResources(entry.phase)) return;\n    this.#allocated = subtract',
    replacement: '    this.#allocated = subtract',
  },
  {
    name: 'never-released',
    sentence: 'What an attempt held is not given back.',
    file: ledger,
    search: '    this.#allocated = subtractResources(this.#allocated, entry.request);',
    replacement: '',
  },
  {
    name: 'worker-forgets-what-it-ran',
    sentence: 'A late dispatch of an attempt that ended here starts it again.',
    file: reactor,
    search: "    const before = higher ? 'noLease' : this.#memory.recall(ref.taskId, ref.fence);",
    replacement: "    const before = higher ? 'noLease' : undefined;",
    options: repeats,
  },
];
