/**
 * A shard to test: the machine, its log, what its store would hold, and short names for tasks.
 * Every entry goes through the codec, and the invariants are checked after each.
 */
import { createHash } from 'node:crypto';
import { type Outcome, type OutcomeKind, systemOutcome } from '../../src/model/attempt.ts';
import {
  encodeShardCommand,
  type ShardCommand,
  type ShardCommandBody,
  type SubmitItem,
} from '../../src/model/command.ts';
import { formatTaskId, type TaskId } from '../../src/model/ids.ts';
import { tierDefaults } from '../../src/model/resources.ts';
import { keySlot } from '../../src/model/slots.ts';
import { encodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import type { Applied } from '../../src/shard/effects.ts';
import { type Flush, ShardMachine } from '../../src/shard/machine.ts';

export const epochMs = 1_700_000_000_000;

export function aSpec(parts: Partial<TaskSpec> = {}): TaskSpec {
  return {
    tenant: 'default',
    owner: 'tester',
    name: '',
    run: { kind: 'command', argv: ['/bin/true'] },
    env: [],
    cwd: '',
    tier: 'basic',
    request: tierDefaults.basic,
    limit: tierDefaults.basic,
    labels: [],
    require: [],
    attempts: 1,
    backoff: { initialMs: 0, maxMs: 0 },
    capMs: 0,
    graceMs: 2_000,
    leaseMs: 20_000,
    outputBytesMax: 1_000_000,
    ...parts,
  };
}

export const anOutcome = (kind: OutcomeKind, parts: Partial<Outcome> = {}): Outcome => ({
  ...systemOutcome(kind, epochMs, ''),
  ...parts,
});

/** Task number `n`; IDs sort by it. */
export const idOf = (n: number, slot = 7): TaskId =>
  formatTaskId({ atMs: epochMs + n, slot, random: n });

export const slotOf = (spec: TaskSpec): number => keySlot(spec) ?? 7;

export function specEntry(spec: TaskSpec): { digest: Uint8Array; bytes: Uint8Array } {
  const bytes = encodeSpec(spec);
  const digest = createHash('sha256').update(bytes).digest().subarray(0, 16);
  return { digest: new Uint8Array(digest), bytes };
}

/** A command without its stamp. */
export type CommandBody = ShardCommandBody;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** As a node does it: some at a time. */
export function loadStored(
  machine: ShardMachine,
  rows: readonly (readonly [Uint8Array, Uint8Array])[],
  atATime = 7,
): void {
  for (let at = 0; at < rows.length; at += atATime) machine.loadRows(rows.slice(at, at + atATime));
}

export class TestShard {
  machine = new ShardMachine({ shard: 1 });
  /** Stamp of the next command, after `epochMs`. */
  atMs = 0;
  readonly log: Uint8Array[] = [];
  /** What is durable: rows by their key in hexadecimal, and the index they stand for. */
  readonly stored = new Map<string, Uint8Array>();
  storedIndex = 0;

  /** The next command is stamped with this instant. */
  setNow(ms: number): void {
    this.atMs = ms - epochMs;
  }

  apply(body: CommandBody): Applied {
    const actor = { name: 'ann', tenant: 'default' };
    const command = { ...body, atMs: epochMs + this.atMs, actor } as ShardCommand;
    return this.applyBytes(encodeShardCommand(command));
  }

  applyBytes(bytes: Uint8Array): Applied {
    this.log.push(bytes);
    const applied = this.machine.apply(this.log.length, bytes);
    this.machine.checkInvariants();
    return applied;
  }

  submit(items: readonly (TaskId | Omit<SubmitItem, 'spec'>)[], spec = aSpec()): Applied {
    return this.apply({
      kind: 'submit',
      specs: [specEntry(spec)],
      items: items.map(item =>
        typeof item === 'string' ? { id: item, spec: 0 } : { ...item, spec: 0 },
      ),
    });
  }

  assign(taskId: TaskId, node = 'n1'): Applied {
    const items = [{ taskId, node, nodeName: `name-${node}`, incarnation: `${node}-a` }];
    return this.apply({ kind: 'assign', items });
  }

  start(taskId: TaskId, fence: number): Applied {
    const startedAtMs = epochMs + this.atMs;
    return this.apply({ kind: 'start', items: [{ taskId, fence, startedAtMs }] });
  }

  unassign(taskId: TaskId, fence: number): Applied {
    return this.apply({ kind: 'unassign', items: [{ taskId, fence, why: 'noRoom' }] });
  }

  finish(taskId: TaskId, fence: number, outcome: OutcomeKind | Outcome = 'succeeded'): Applied {
    const told = typeof outcome === 'string' ? anOutcome(outcome) : outcome;
    return this.apply({ kind: 'finish', items: [{ taskId, fence, outcome: told }] });
  }

  lose(taskId: TaskId, fence: number): Applied {
    return this.apply({ kind: 'lose', items: [{ taskId, fence }], message: 'its lease ended' });
  }

  cancel(taskId: TaskId, reason = 'not needed'): Applied {
    return this.apply({ kind: 'cancel', items: [{ taskId }], reason });
  }

  /** Assigns, starts and finishes. */
  runOnce(taskId: TaskId, outcome: OutcomeKind | Outcome = 'succeeded', node = 'n1'): Applied {
    const reply = this.assign(taskId, node).replies[0];
    const fence = reply?.ok === true ? (reply.fence ?? 0) : 0;
    this.start(taskId, fence);
    return this.finish(taskId, fence, outcome);
  }

  /** Writes a flush to the store of the test, without telling the machine. */
  store(flush: Flush): void {
    for (const [key, value] of flush.rows) {
      if (value === undefined) this.stored.delete(hex(key));
      else this.stored.set(hex(key), value);
    }
    this.storedIndex = flush.applied;
  }

  /** Flushes everything; returns how many rows it took. */
  flush(): number {
    const flush = this.machine.takeFlush(5_000);
    if (flush === undefined) return 0;
    this.store(flush);
    this.machine.flushed(flush.token);
    this.machine.checkInvariants();
    return flush.rows.length;
  }

  /** The stored rows in key order, as a store gives them. */
  rows(): (readonly [Uint8Array, Uint8Array])[] {
    const keys = [...this.stored.keys()].sort();
    return keys.map(key => [new Uint8Array(Buffer.from(key, 'hex')), this.stored.get(key)!]);
  }

  row(key: Uint8Array): Uint8Array | undefined {
    return this.stored.get(hex(key));
  }

  /** A machine that starts from what is stored and replays the rest of the log. */
  restarted(): ShardMachine {
    const machine = new ShardMachine({ shard: 1 });
    loadStored(machine, this.rows());
    machine.loaded(this.storedIndex);
    machine.checkInvariants();
    for (let index = this.storedIndex + 1; index <= this.log.length; index++) {
      machine.apply(index, this.log[index - 1]!);
    }
    machine.checkInvariants();
    return machine;
  }
}
