/** Samples and arbitraries of the commands about messages and workflows. */
import fc from 'fast-check';
import type { Outcome } from '../../../src/model/attempt.ts';
import type { ShardCommand } from '../../../src/model/command.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import type { ShardMessage } from '../../../src/model/message.ts';
import { parentEnds } from '../../../src/model/when.ts';

interface Parts {
  readonly one: TaskId;
  readonly other: TaskId;
  readonly outcome: Outcome;
  readonly stamp: Pick<ShardCommand, 'atMs' | 'actor'>;
}

export const workflowCommands = ({
  one,
  other,
  outcome,
  stamp,
}: Parts): Readonly<Record<string, ShardCommand>> => ({
  deliver: {
    kind: 'deliver',
    ...stamp,
    source: 9,
    items: [
      { sequence: 1, message: { kind: 'await', child: one, parent: other }, settled: undefined },
      {
        sequence: 2 ** 32 + 2,
        message: { kind: 'await', child: one, parent: other },
        settled: { end: 'succeeded', output: 'ü' },
      },
      {
        sequence: 2 ** 32 + 3,
        message: {
          kind: 'ended',
          parent: other,
          end: 'skipped',
          output: undefined,
          children: [one, other],
        },
        settled: undefined,
      },
    ],
  },
  acknowledge: { kind: 'acknowledge', ...stamp, items: [{ sequence: 1 }, { sequence: 300 }] },
  submitWorkflow: {
    kind: 'submitWorkflow',
    ...stamp,
    workflow: {
      id: one,
      tenant: 'acme',
      owner: 'bob',
      name: 'nightly',
      total: 3,
      digest: new Uint8Array(16).fill(5),
      retryOf: other,
    },
    from: 1,
    specs: [{ digest: new Uint8Array(16).fill(7), bytes: new Uint8Array([1, 2, 3]) }],
    items: [
      { spec: 0, name: 'b', parents: [0], retryOf: undefined, kept: undefined },
      { spec: 0, name: 'c', parents: [0, 1], retryOf: one, kept: { taskId: one, outcome } },
    ],
  },
  cancelWorkflow: { kind: 'cancelWorkflow', ...stamp, items: [{ id: one }], reason: 'no need' },
});

interface Arbitraries {
  readonly id: fc.Arbitrary<TaskId>;
  readonly outcome: fc.Arbitrary<Outcome>;
  readonly stamped: {
    readonly atMs: fc.Arbitrary<number>;
    readonly actor: fc.Arbitrary<ShardCommand['actor']>;
  };
}

export function anyWorkflowCommand(parts: Arbitraries): fc.Arbitrary<ShardCommand> {
  const { id, outcome, stamped } = parts;
  const missing = { nil: undefined };
  const count = fc.nat();
  const name = fc.string({ maxLength: 20 });
  const digest = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const few = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 4 });
  const end = fc.constantFrom(...parentEnds);
  const output = fc.option(name, missing);
  const message: fc.Arbitrary<ShardMessage> = fc.oneof(
    fc.record({ kind: fc.constant('await' as const), child: id, parent: id }),
    fc.record({ kind: fc.constant('ended' as const), parent: id, end, output, children: few(id) }),
  );
  const settled = fc.option(fc.record({ end, output }), missing);
  const head = fc.record({
    id,
    tenant: name,
    owner: name,
    name,
    total: fc.nat(10_000),
    digest,
    retryOf: fc.option(id, missing),
  });
  const kept = fc.option(fc.record({ taskId: id, outcome }), missing);
  const item = { spec: count, name, parents: few(count), retryOf: fc.option(id, missing), kept };
  return fc.oneof(
    fc.record({
      kind: fc.constant('deliver' as const),
      ...stamped,
      source: count,
      items: few(fc.record({ sequence: count, message, settled })),
    }),
    fc.record({
      kind: fc.constant('acknowledge' as const),
      ...stamped,
      items: few(fc.record({ sequence: count })),
    }),
    fc.record({
      kind: fc.constant('submitWorkflow' as const),
      ...stamped,
      workflow: head,
      from: count,
      specs: few(fc.record({ digest, bytes: fc.uint8Array({ maxLength: 20 }) })),
      items: few(fc.record(item)),
    }),
    fc.record({
      kind: fc.constant('cancelWorkflow' as const),
      ...stamped,
      items: few(fc.record({ id })),
      reason: name,
    }),
  );
}
