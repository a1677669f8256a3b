/**
 * What one replica has for the next batch, and what waits for that batch to be durable. The order
 * of the operations is the store's: who the replica is, then a whole state that replaces what there
 * was, then what follows in the log, then rows.
 */
import type { StoreOp } from '../ports/store.ts';
import type { ConfState, Entry, HardState, Message } from '../raft/message.ts';
import type { PersistToken } from '../raft/ready.ts';
import { type Descriptor, encodeDescriptor } from './descriptor.ts';
import type { GroupMachine } from './group-machine.ts';

/** A state that was received as a whole and is staged in the store, ready to be installed. */
export interface IncomingState {
  readonly index: number;
  readonly term: number;
  /** Of this replica, as of `index`. */
  readonly descriptor: Descriptor;
  /** With the rows of `index`. */
  readonly machine: GroupMachine;
  /** Told once: whether it became this replica's state, durably. */
  readonly settle: (installed: boolean) => void;
}

/** What the disk holds of the state. */
export interface DurableState {
  readonly applied: number;
  readonly appliedTerm: number;
  readonly conf: ConfState;
}

type StateOp = Extract<StoreOp, { kind: 'state' }>;

export class ReplicaBatch {
  /** Set where it has changed. */
  descriptor: Descriptor | undefined;
  install: IncomingState | undefined;
  truncation: { readonly index: number; readonly term: number } | undefined;
  entries: Entry[] = [];
  hard: HardState | undefined;
  states: StateOp[] = [];
  flushTokens: number[] = [];
  /** Rows of a snapshot that is being received, or their end. */
  readonly staging: StoreOp[] = [];
  readonly tokens: PersistToken[] = [];
  /** Messages that promise what the batch holds. */
  readonly after: Message[] = [];

  /** Nothing in it is worth a write of its own. A hard state alone promises nothing. */
  get idle(): boolean {
    return (
      this.tokens.length === 0 &&
      this.states.length === 0 &&
      this.staging.length === 0 &&
      this.descriptor === undefined &&
      this.truncation === undefined
    );
  }

  /** Entries replace those of the same and higher indices. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const keep = this.entries.findIndex(entry => entry.index >= first.index);
    if (keep >= 0) this.entries.length = keep;
    for (const entry of entries) this.entries.push(entry);
  }

  /** A whole state replaces log and rows, those that wait here included. */
  replaceBy(install: IncomingState): void {
    this.install = install;
    this.truncation = undefined;
    this.entries = [];
    this.states = [];
    this.flushTokens = [];
  }

  addTo(ops: StoreOp[], group: number): void {
    const { descriptor, install, truncation, entries, hard } = this;
    if (descriptor !== undefined) {
      ops.push({ kind: 'descriptor', group, value: encodeDescriptor(descriptor) });
    }
    if (install !== undefined) {
      const { index, term } = install;
      const value = encodeDescriptor(install.descriptor);
      ops.push({ kind: 'install', group, index, term, descriptor: value });
    }
    if (truncation !== undefined) ops.push({ kind: 'truncate', group, ...truncation });
    if (entries.length > 0) ops.push({ kind: 'entries', group, entries });
    if (hard !== undefined) ops.push({ kind: 'hard', group, hard });
    for (const op of this.states) ops.push(op);
    for (const op of this.staging) ops.push(op);
  }
}
