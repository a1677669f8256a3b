/** Golden bytes of the rows of messages and workflows, and of what tasks keep that wait. */
import { expect, test } from 'vitest';
import { formatTaskId } from '../../../src/model/ids.ts';
import { aSpec, epochMs, specEntry, TestShard } from '../../support/shard.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const workflowId = formatTaskId({ atMs: epochMs, slot: 7, random: 1_000 });
const here = formatTaskId({ atMs: epochMs, slot: 7, random: 5 });
const there = formatTaskId({ atMs: epochMs, slot: 9, random: 6 });

/** A shard that has one row of each kind; the values by their keys. */
function rows(): Record<string, string> {
  const shard = new TestShard();
  shard.submit([here], aSpec({ after: [there], when: 'always' }));
  shard.apply({
    kind: 'deliver',
    source: 3,
    items: [{ sequence: 300, message: { kind: 'await', child: there, parent: here } }],
  });
  shard.apply({
    kind: 'submitWorkflow',
    workflow: {
      id: workflowId,
      tenant: 'default',
      owner: 'ann',
      name: 'night',
      total: 2,
      digest: new Uint8Array(16).fill(5),
    },
    from: 0,
    specs: [specEntry(aSpec({ name: 'a' })), specEntry(aSpec({ name: 'b', when: 'failure' }))],
    items: [
      { spec: 0, name: 'a', parents: [] },
      { spec: 1, name: 'b', parents: [0] },
    ],
  });
  shard.flush();
  const kept = shard.rows().filter(([key]) => key[0] === 2 || key[0]! >= 4);
  return Object.fromEntries(kept.map(([key, value]) => [hex(key), hex(value)]));
}

const golden: Record<string, string> = {
  '02303635777a736238303030373030303030303035':
    '0200000003179f0195a0000003800000000005151eac9eb7eb2d9cf09c1ccb5be6ef2a0764656661756c7400' +
    '000080d095ffbc3180d095ffbc3100000000000000000003010101071901000114303635777a736238303030' +
    '3930303030303030360008160114303635777a736238303030393030303030303036',
  '02303635777a736238303030373030303030307a39':
    '0200000003179f0195a00000038000000003e923f0caa48e8165842defb5b044e7d56f0764656661756c7400' +
    '000080d095ffbc3180d095ffbc3100000000000000000002061614303635777a736238303030373030303030' +
    '307a3800070400000000',
  '02303635777a736238303030373030303030307a61':
    '0200000003179f0195a00000038000000003ea22583208c5e5bd59983affc386c646ec0764656661756c7400' +
    '000080d095ffbc3180d095ffbc3100000000000000000003010101061614303635777a736238303030373030' +
    '303030307a3801070401000000',
  '04': '0101',
  '040000000000000001':
    '0100090114303635777a73623830303037303030303030303514303635777a73623830303039303030303030' +
    '3036',
  '050003': '01ac02',
  '06303635777a736238303030373030303030307a38':
    '0114303635777a736238303030373030303030307a380764656661756c7403616e6e056e6967687402050505' +
    '050505050505050505050505050080d095ffbc310202000100020000',
  '07303635777a736238303030373030303030307a380000': '010002016100000162010100',
};

test('rows of messages, workflows and tasks that wait have the bytes that they always had', () => {
  expect(rows()).toEqual(golden);
});
