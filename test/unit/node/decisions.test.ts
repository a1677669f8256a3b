/** What was decided about a task: what its record tells for good, and what only events tell. */
import { expect, test } from 'vitest';
import { decisionsOf } from '../../../src/node/decisions.ts';
import { anOutcome, epochMs, idOf, TestShard } from '../../support/shard.ts';

const nodeOf = (id: string): string => `name-${id}`;

/** Refused by one node, lost with another, ended on a third. */
function troubled(): { shard: TestShard; told(): string[] } {
  const shard = new TestShard();
  const id = idOf(1);
  const at = (ms: number): TestShard => {
    shard.atMs = ms;
    return shard;
  };
  shard.submit([id, idOf(2)]);
  at(10).assign(id, 'n1');
  const fence = (): number => shard.machine.record(id)!.fence;
  at(20).unassign(id, fence());
  at(30).assign(id, 'n2');
  at(40).start(id, fence());
  const lost = { kind: 'lose', items: [{ taskId: id, fence: fence() }], message: 'gone' } as const;
  at(50).apply(lost);
  at(60).assign(id, 'n3');
  at(70).start(id, fence());
  const outcome = anOutcome('succeeded');
  at(80).apply({ kind: 'finish', items: [{ taskId: id, fence: fence(), outcome }] });
  const told = (): string[] =>
    decisionsOf(shard.machine.record(id)!, shard.machine.eventsOf(id), nodeOf).map(
      ({ atMs, sentence }) => `${atMs - epochMs} ${sentence}`,
    );
  return { shard, told };
}

test('tells refusals, losses and the end in the order of their instants', () => {
  const { told } = troubled();
  expect(told().map(one => one.replace(/attempt \d+/, 'attempt N'))).toEqual([
    '0 taken',
    '20 name-n1 gave attempt N back: it had no room',
    '30 attempt N given to name-n2',
    '40 attempt N started on name-n2',
    '50 attempt N on name-n2: lost, gone',
    '60 attempt N given to name-n3',
    '70 attempt N started on name-n3',
    '80 attempt N on name-n3: succeeded',
    '80 settled',
  ]);
});

test('tells what the record holds where the events are gone', () => {
  const { shard } = troubled();
  const record = shard.machine.record(idOf(1))!;
  const kinds = decisionsOf(record, [], nodeOf).map(one => one.kind);
  expect(kinds).not.toContain('unassigned');
  expect(kinds[0]).toBe('submitted');
  expect(kinds.at(-1)).toBe('settled');
});

test('tells nothing of another task', () => {
  const { shard } = troubled();
  expect(shard.machine.eventsOf(idOf(2)).map(one => one.kind)).toEqual(['submitted']);
  expect(shard.machine.eventsOf(idOf(3))).toEqual([]);
});
