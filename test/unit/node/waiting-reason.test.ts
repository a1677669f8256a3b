import { expect, test } from 'vitest';
import { encodeShardCommand } from '../../../src/model/command.ts';
import { formatTaskId } from '../../../src/model/ids.ts';
import type { Lane } from '../../../src/model/planning.ts';
import { noResources } from '../../../src/model/resources.ts';
import { decodeSpec, encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import type { Scheduler } from '../../../src/node/scheduler.ts';
import { ShardAccess } from '../../../src/node/shard-access.ts';
import type { Store } from '../../../src/ports/store.ts';
import { ShardMachine } from '../../../src/shard/machine.ts';

const base = decodeSpec(encodeSpec({ ...decodeSpec(Uint8Array.of(1)), request: noResources }));

test.each([
  ['no labels', []],
  ['a label', [['hold', '1']]],
] as const)('a waiting task that requires %s shows the reason of the planner', (_what, require) => {
  const spec: TaskSpec = { ...base, require };
  const machine = new ShardMachine({ shard: 1 });
  const id = formatTaskId({ atMs: 1, slot: 1, random: 1 });
  const bytes = encodeSpec(spec);
  const specs = [{ digest: new Uint8Array(16), bytes }];
  const actor = { name: 'me', tenant: 'default' };
  const items = [{ id, spec: 0 }];
  machine.apply(1, encodeShardCommand({ kind: 'submit', atMs: 1_000, actor, specs, items }));
  const planned = machine.readyBatches(1, 2_000)[0]!.lane.key;
  const reasonFor = ({ key }: Lane): string => (key === planned ? 'Resources' : 'Queued');
  const access = new ShardAccess({
    context: {
      clock: { wallMs: () => 2_000 },
      loop: { replica: () => undefined },
    } as unknown as NodeContext,
    scheduler: { reasonFor } as unknown as Scheduler,
    store: {} as Store,
    table: () => [],
    reported: () => [],
    setting: () => 0,
  });
  expect(access.reason(machine, machine.record(id)!, spec, false)).toBe('Resources');
});
