/** A run without fault, whose history tests spoil in one place each. */
import type {
  AttemptLine,
  FaultRecord,
  History,
  SubmitRecord,
  TaskRecord,
} from '../../../src/chaos/history.ts';

export const bounds = { ackWithinMs: 1_000, ledWithinMs: 1_000, settleWithinMs: 1_000 };

export const line = (
  what: AttemptLine['what'],
  number: number,
  fence: number,
  upS: number,
  node = 'n1',
): AttemptLine => ({ what, number, id: `task${number}`, fence, upS, boot: 0, node });

export const task = (number: number, ...kinds: string[]): TaskRecord => ({
  id: `task${number}`,
  state: 'succeeded',
  lost: kinds.filter(kind => kind === 'lost').length,
  attempts: kinds.map((kind, place) => ({
    attempt: place + 1,
    nodeName: 'n1',
    outcome: { kind },
  })),
});

const submit = (number: number, begunMs: number): SubmitRecord => ({
  number,
  begunMs,
  tries: 1,
  ackedMs: begunMs + 10,
  id: `task${number}`,
  shard: number,
});

export const killed: FaultRecord = {
  number: 1,
  kind: 'kill',
  nodes: [1],
  fromMs: 1_000,
  toMs: 2_000,
  away: [1],
  majorityLeft: true,
  ledBefore: [1],
  told: [],
};

/** Two tasks; the second one lost its first attempt, with the node that was killed. */
export const past = (changes: Partial<History> = {}): History => ({
  seed: 1,
  nodes: 3,
  shards: 2,
  endMs: 4_000,
  settledMs: 3_500,
  workEndMs: 3_000,
  submits: [submit(1, 1_100), submit(2, 2_100)],
  tasks: new Map([
    ['task1', task(1, 'succeeded')],
    ['task2', task(2, 'lost', 'succeeded')],
  ]),
  ...{ schedules: [], told: new Map(), toldWhole: true },
  lines: [
    line('start', 1, 1, 100),
    line('end', 1, 1, 100.5),
    line('start', 2, 1, 101),
    line('alive', 2, 1, 101.2),
    line('start', 2, 2, 102, 'n2'),
    line('end', 2, 2, 102.3, 'n2'),
  ],
  upAtStartS: 99,
  faults: [killed],
  leaders: [
    { atMs: 0, leaders: [1, 2] },
    { atMs: 1_200, leaders: [0, 2] },
    { atMs: 1_400, leaders: [2, 2] },
    { atMs: 2_100, leaders: [2, 2] },
  ],
  spans: [
    { node: 1, fromMs: 0, state: 'up' },
    { node: 1, fromMs: 1_000, state: 'down' },
    { node: 1, fromMs: 2_000, state: 'up' },
    { node: 2, fromMs: 0, state: 'up' },
    { node: 3, fromMs: 0, state: 'up' },
  ],
  comparison: { compared: 40, divergences: [], behind: [] },
  unexpectedEnds: [],
  leftovers: [],
  ...{ attached: false, unseen: [], notes: [] },
  ...changes,
});
