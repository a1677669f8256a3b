/**
 * Every change of a shard, as data. A command is what a log entry of a shard holds: its version,
 * its kind, the instant the leader stamped, who asked, and a list of items that are judged one by
 * one in apply. Kind numbers are append-only. A replica that meets a kind it does not know stops.
 */
import { type Outcome, readOutcome, writeOutcome } from './attempt.ts';
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import {
  type ControlBody,
  controlKindNumbers,
  readControl,
  writeControl,
} from './command-control.ts';
import type { ErrorCode } from './errors.ts';
import type { NodeId, TaskId } from './ids.ts';
import { limits } from './limits.ts';
import { type LinkCommand, readLinkCommand, writeLinkCommand } from './link-command.ts';
import {
  readScheduleCommand,
  type ScheduleCommand,
  scheduleKindNumbers,
  writeScheduleCommand,
} from './schedule-command.ts';
import { readSpecEntry, type SpecEntry, writeSpecEntry } from './spec-entry.ts';
import { type TaskState, taskStates } from './task.ts';
import { type Refusal, refusals } from './worker-protocol.ts';

export interface SubmitItem {
  readonly id: TaskId;
  /** Position in `specs`. */
  readonly spec: number;
  readonly retryOf?: TaskId | undefined;
  readonly arrayId?: TaskId | undefined;
  readonly arrayIndex?: number | undefined;
}

export interface PlacementItem {
  readonly taskId: TaskId;
  readonly node: NodeId;
  readonly nodeName: string;
  readonly incarnation: string;
}

/** The tasks of a gang that are not settled: all of them, or the item is refused. */
export interface GangItem {
  readonly members: readonly PlacementItem[];
}

export interface FenceItem {
  readonly taskId: TaskId;
  readonly fence: number;
}

/** A settled task that leaves the history, with what its row says and memory does not. */
export interface ExpireItem {
  readonly taskId: TaskId;
  readonly state: TaskState;
  /** Of its spec, 16 bytes. */
  readonly digest: Uint8Array;
  /** Hash of tenant and idempotency key, where it has one. */
  readonly keyHash?: { readonly high: number; readonly low: number } | undefined;
}

/** Who caused a command: a token's name and its tenant, or `node:<id>` for the cluster itself. */
export interface Actor {
  readonly name: string;
  readonly tenant: string;
}

interface Stamped {
  /** Wall clock of the leader. State time is max(previous, this), its jumps capped (DESIGN 4). */
  readonly atMs: number;
  readonly actor: Actor;
}

interface SubmitBody {
  readonly specs: readonly SpecEntry[];
  readonly items: readonly SubmitItem[];
}

export type ShardCommand = Stamped &
  (
    | ({ readonly kind: 'submit' } & SubmitBody)
    | { readonly kind: 'assign'; readonly items: readonly PlacementItem[] }
    /** Gangs, each placed as a whole or not at all. */
    | { readonly kind: 'assignGang'; readonly items: readonly GangItem[] }
    /** The worker refused: nothing was started, no run is counted. */
    | {
        readonly kind: 'unassign';
        readonly items: readonly (FenceItem & { readonly why: Refusal })[];
      }
    | {
        readonly kind: 'start';
        readonly items: readonly (FenceItem & { readonly startedAtMs: number })[];
      }
    | {
        readonly kind: 'finish';
        readonly items: readonly (FenceItem & { readonly outcome: Outcome })[];
      }
    /** The lease ended without a word: the attempt is over by the lease argument (DESIGN 9). */
    | { readonly kind: 'lose'; readonly items: readonly FenceItem[]; readonly message: string }
    | {
        readonly kind: 'cancel';
        readonly items: readonly { readonly taskId: TaskId }[];
        readonly reason: string;
      }
    /** Not by a leader: `unsafe-recover` puts it into a log whose majority is lost. */
    | { readonly kind: 'recover'; readonly epoch: number }
    /** Settled tasks are kept long enough: nothing of them remains. */
    | { readonly kind: 'expire'; readonly items: readonly ExpireItem[] }
    /** Something is due of tasks that have not started. */
    | { readonly kind: 'overdue'; readonly items: readonly { readonly taskId: TaskId }[] }
    /** Submits that are let in within an hour, of tenants whose home the shard is. */
    | {
        readonly kind: 'charge';
        readonly items: readonly { readonly tenant: string; readonly count: number }[];
      }
    /** From here on the shard follows the rules of this cluster version: see `shard/rules.ts`. */
    | { readonly kind: 'adopt'; readonly rules: number }
    /** New tasks, each in place of the dead letter that its `retryOf` names. */
    | ({ readonly kind: 'replay' } & SubmitBody)
    /** Nobody wants to hear of these dead letters any more. */
    | { readonly kind: 'purge'; readonly items: readonly { readonly taskId: TaskId }[] }
    | ScheduleCommand
    /** What tasks have to do with one another. */
    | LinkCommand
    | ControlBody
  );

/** A command without its stamp. */
export type ShardCommandBody = ShardCommand extends infer C
  ? C extends ShardCommand
    ? Omit<C, keyof Stamped>
    : never
  : never;

export type ShardCommandKind = ShardCommand['kind'];

/** The number of each in the log: never changed, never used again. */
const kindNumbers: Readonly<Record<ShardCommandKind, number>> = {
  submit: 0,
  assign: 1,
  unassign: 2,
  start: 3,
  finish: 4,
  lose: 5,
  cancel: 6,
  recover: 7,
  expire: 8,
  overdue: 27,
  deliver: 13,
  acknowledge: 14,
  submitWorkflow: 15,
  cancelWorkflow: 16,
  charge: 31,
  adopt: 35,
  replay: 36,
  purge: 37,
  ...scheduleKindNumbers,
  assignGang: 10,
  ...controlKindNumbers,
};

export const shardCommandKinds = Object.keys(kindNumbers) as ShardCommandKind[];

const kindsByNumber = new Map(shardCommandKinds.map(kind => [kindNumbers[kind], kind]));

/** What apply says to each item of a command, in order; a pure function of state and command. */
export type ItemReply =
  | {
      readonly ok: true;
      /** The task the item is about; for a known idempotency key the task that has it. */
      readonly taskId: TaskId;
      /** The item changed nothing because it had been applied before. */
      readonly repeated: boolean;
      /** For `assign`: the fence of the new assignment. */
      readonly fence?: number | undefined;
      /** For `submit`, told by the leader and no part of the decision: when it should start. */
      readonly startBoundMs?: number | undefined;
    }
  | {
      readonly ok: false;
      readonly taskId: TaskId;
      readonly code: ErrorCode;
      readonly message: string;
      /** Told by the leader, where it would let in nothing more for now. */
      readonly retryAfterMs?: number | undefined;
    };

const version = 1;

/** Used by every encoding in turn: a batch of submits would make a new buffer grow many times. */
let commandWriter = new ByteWriter(4_096);
const commandWriterKeptMax = 256 * 1024;

export function encodeShardCommand(command: ShardCommand): Uint8Array {
  if (commandWriter.length > commandWriterKeptMax) commandWriter = new ByteWriter(4_096);
  const writer = commandWriter.reset().u8(version).u8(kindNumbers[command.kind]);
  writer.varint(command.atMs).text(command.actor.name).text(command.actor.tenant);
  switch (command.kind) {
    case 'submit':
    case 'replay':
      writer.list(command.specs, writeSpecEntry);
      writer.list(command.items, writeSubmit);
      break;
    case 'assign':
      writer.list(command.items, writePlacement);
      break;
    case 'assignGang':
      writer.list(command.items, (w, gang) => w.list(gang.members, writePlacement));
      break;
    case 'unassign':
      writer.list(command.items, (w, item) =>
        w.text(item.taskId).varint(item.fence).u8(refusals.indexOf(item.why)),
      );
      break;
    case 'start':
      writer.list(command.items, (w, item) =>
        w.text(item.taskId).varint(item.fence).varint(item.startedAtMs),
      );
      break;
    case 'finish':
      writer.list(command.items, (w, item) => {
        w.text(item.taskId).varint(item.fence);
        writeOutcome(w, item.outcome);
      });
      break;
    case 'lose':
      writer.list(command.items, (w, item) => w.text(item.taskId).varint(item.fence));
      writer.text(command.message);
      break;
    case 'cancel':
      writer.list(command.items, (w, item) => w.text(item.taskId)).text(command.reason);
      break;
    case 'recover':
    case 'adopt':
      writer.varint(command.kind === 'recover' ? command.epoch : command.rules);
      break;
    case 'purge':
    case 'overdue':
      writer.list(command.items, (w, item) => w.text(item.taskId));
      break;
    case 'expire':
      writer.list(command.items, writeExpire);
      break;
    case 'deliver':
    case 'acknowledge':
    case 'submitWorkflow':
    case 'cancelWorkflow':
      writeLinkCommand(writer, command);
      break;
    case 'charge':
      writer.list(command.items, (w, item) => w.text(item.tenant).varint(item.count));
      break;
    case 'pause':
    case 'resume':
    case 'update':
    case 'suspended':
      writeControl(writer, command);
      break;
    default:
      writeScheduleCommand(writer, command);
  }
  return writer.finish();
}

function writeSubmit(writer: ByteWriter, item: SubmitItem): void {
  writer.text(item.id).varint(item.spec);
  writer.optional(item.retryOf, (w, id) => w.text(id));
  writer.optional(item.arrayId, (w, id) => w.text(id));
  writer.optional(item.arrayIndex, (w, index) => w.varint(index));
}

function writeExpire(writer: ByteWriter, item: ExpireItem): void {
  writer.text(item.taskId).u8(taskStates.indexOf(item.state)).raw(item.digest);
  writer.optional(item.keyHash, (w, key) => w.u32(key.high).u32(key.low));
}

const writePlacement = (writer: ByteWriter, item: PlacementItem): ByteWriter =>
  writer.text(item.taskId).text(item.node).text(item.nodeName).text(item.incarnation);

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

/** Throws `DecodeError` for another version, an unknown kind or malformed bytes. */
export function decodeShardCommand(bytes: Uint8Array): ShardCommand {
  // One copy for all specs in it, which are views into that: what is decoded outlives the input.
  const reader = new ByteReader(bytes.slice());
  reader.version(version, 'shard command');
  const command = readCommand(reader);
  reader.end('shard command');
  return command;
}

function readCommand(reader: ByteReader): ShardCommand {
  const kind = kindsByNumber.get(reader.u8());
  const atMs = reader.varint();
  const actor = { name: reader.text(256), tenant: reader.text(256) };
  const stamp = { atMs, actor };
  switch (kind) {
    case 'submit':
    case 'replay':
      return { kind, ...stamp, specs: reader.list(readSpecEntry), items: reader.list(readSubmit) };
    case 'assign':
      return { kind, ...stamp, items: reader.list(readPlacement) };
    case 'assignGang':
      return {
        kind,
        ...stamp,
        items: reader.list(r => ({ members: r.list(readPlacement, limits.gangMax) })),
      };
    case 'unassign':
      return { kind, ...stamp, items: reader.list(readRefused) };
    case 'start':
      return {
        kind,
        ...stamp,
        items: reader.list(r => ({ ...readFence(r), startedAtMs: r.varint() })),
      };
    case 'finish':
      return {
        kind,
        ...stamp,
        items: reader.list(r => ({ ...readFence(r), outcome: readOutcome(r) })),
      };
    case 'lose':
      return { kind, ...stamp, items: reader.list(readFence), message: reader.text(4_096) };
    case 'cancel':
      return {
        kind,
        ...stamp,
        items: reader.list(r => ({ taskId: readId(r) })),
        reason: reader.text(4_096),
      };
    case 'overdue':
      return { kind, ...stamp, items: reader.list(r => ({ taskId: readId(r) })) };
    case 'recover':
      return { kind, ...stamp, epoch: reader.varint() };
    case 'expire':
      return { kind, ...stamp, items: reader.list(readExpire) };
    case 'deliver':
    case 'acknowledge':
    case 'submitWorkflow':
    case 'cancelWorkflow':
      return { ...stamp, ...readLinkCommand(kind, reader) };
    case 'charge':
      return {
        kind,
        ...stamp,
        items: reader.list(r => ({ tenant: r.text(256), count: r.varint() })),
      };
    case 'adopt':
      return { kind, ...stamp, rules: reader.varint() };
    case 'purge':
      return { kind, ...stamp, items: reader.list(r => ({ taskId: readId(r) })) };
    case 'pause':
    case 'resume':
    case 'update':
    case 'suspended':
      return { ...stamp, ...readControl(reader, kind) };
    default:
      return { ...stamp, ...readScheduleCommand(kind, reader) };
  }
}

const readFence = (reader: ByteReader): FenceItem => ({
  taskId: readId(reader),
  fence: reader.varint(),
});

const readSubmit = (reader: ByteReader): SubmitItem => ({
  id: readId(reader),
  spec: reader.varint(),
  retryOf: reader.optional(readId),
  arrayId: reader.optional(readId),
  arrayIndex: reader.optional(r => r.varint()),
});

const readPlacement = (reader: ByteReader): PlacementItem => ({
  taskId: readId(reader),
  node: reader.text(128),
  nodeName: reader.text(256),
  incarnation: reader.text(64),
});

function readExpire(reader: ByteReader): ExpireItem {
  const taskId = readId(reader);
  const state = taskStates[reader.u8()];
  if (state === undefined) throw new DecodeError('unknown state of a task');
  const digest = reader.raw(16);
  const keyHash = reader.optional(r => ({ high: r.u32(), low: r.u32() }));
  return { taskId, state, digest, keyHash };
}

function readRefused(reader: ByteReader): FenceItem & { readonly why: Refusal } {
  const item = readFence(reader);
  const why = refusals[reader.u8()];
  if (why === undefined) throw new DecodeError('unknown refusal');
  return { ...item, why };
}
