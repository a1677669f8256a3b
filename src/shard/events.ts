/**
 * The newest events of a shard, numbered without gaps: a ring of columns, at most
 * `limits.eventsPerShard`. The numbers are replicated state; what the ring still holds is not, a
 * restarted replica begins with an empty one and answers `expired` for what was before.
 */
import type { OutcomeKind } from '../model/attempt.ts';
import { outcomeKinds } from '../model/attempt.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { eventKinds, type TaskEvent, taskStates } from '../model/task.ts';
import { type Refusal, refusals } from '../model/worker-protocol.ts';
import { idWordCount, packId, unpackId } from './memory/id-words.ts';

/** An event before it has its number; the ID as words. */
interface EventDraft {
  /** Position in `eventKinds`. */
  readonly kind: number;
  readonly atMs: number;
  readonly words: Uint32Array;
  readonly tenant: string;
  /** Position in `taskStates`. */
  readonly state: number;
  readonly attempt?: number | undefined;
  readonly node?: NodeId | undefined;
  readonly outcome?: OutcomeKind | undefined;
  readonly why?: Refusal | undefined;
}

/** What an event tells beside its task. */
export type EventAbout = Pick<EventDraft, 'attempt' | 'node' | 'outcome' | 'why'>;

/** What a code is the position of, from 1. */
const coded = <T>(values: readonly T[], code: number): T | undefined =>
  code === 0 ? undefined : values[code - 1];

const capacityMin = 32;
/** Bytes of `#codes` for one event. */
const codeCount = 4;

export class EventRing {
  readonly #shard: number;
  #capacity = 0;
  #words = new Uint32Array(0);
  #attempts = new Uint32Array(0);
  #instants = new Float64Array(0);
  /** Positions of kind, state, outcome + 1 and refusal + 1 (0 is none). */
  #codes = new Uint8Array(0);
  #tenants: string[] = [];
  #nodes: (NodeId | undefined)[] = [];
  #lastSeq = 0;
  #held = 0;

  constructor(shard: number) {
    this.#shard = shard;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Oldest event that is held; `lastSeq + 1` where none is. */
  get firstSeq(): number {
    return this.#lastSeq - this.#held + 1;
  }

  /** Starts empty after the event `lastSeq`. */
  restart(lastSeq: number): void {
    this.#lastSeq = lastSeq;
    this.#held = 0;
  }

  append(draft: EventDraft): number {
    if (this.#held === this.#capacity && this.#capacity < limits.eventsPerShard) this.#grow();
    const seq = ++this.#lastSeq;
    const place = seq % this.#capacity;
    for (let word = 0; word < idWordCount; word++) {
      this.#words[place * idWordCount + word] = draft.words[word]!;
    }
    this.#attempts[place] = draft.attempt ?? 0;
    this.#instants[place] = draft.atMs;
    const code = place * codeCount;
    this.#codes[code] = draft.kind;
    this.#codes[code + 1] = draft.state;
    this.#codes[code + 2] = draft.outcome ? outcomeKinds.indexOf(draft.outcome) + 1 : 0;
    this.#codes[code + 3] = draft.why ? refusals.indexOf(draft.why) + 1 : 0;
    this.#tenants[place] = draft.tenant;
    this.#nodes[place] = draft.node;
    if (this.#held < this.#capacity) this.#held++;
    return seq;
  }

  /** Doubles the ring; an event's place follows from its number, so all of them move. */
  #grow(): void {
    const wanted = this.#capacity === 0 ? capacityMin : this.#capacity * 2;
    const grown = new EventRing(this.#shard);
    grown.#setCapacity(Math.min(wanted, limits.eventsPerShard));
    const first = this.firstSeq;
    grown.restart(first - 1);
    for (let seq = first; seq <= this.#lastSeq; seq++) grown.append(this.#draft(seq));
    this.#capacity = grown.#capacity;
    this.#words = grown.#words;
    this.#attempts = grown.#attempts;
    this.#instants = grown.#instants;
    this.#codes = grown.#codes;
    this.#tenants = grown.#tenants;
    this.#nodes = grown.#nodes;
  }

  #setCapacity(capacity: number): void {
    this.#capacity = capacity;
    this.#words = new Uint32Array(capacity * idWordCount);
    this.#attempts = new Uint32Array(capacity);
    this.#instants = new Float64Array(capacity);
    this.#codes = new Uint8Array(capacity * codeCount);
  }

  #draft(seq: number): EventDraft {
    const place = seq % this.#capacity;
    const codes = this.#codes.subarray(place * codeCount, (place + 1) * codeCount);
    return {
      kind: codes[0]!,
      atMs: this.#instants[place]!,
      words: this.#words.subarray(place * idWordCount, (place + 1) * idWordCount),
      tenant: this.#tenants[place]!,
      state: codes[1]!,
      attempt: this.#attempts[place] || undefined,
      node: this.#nodes[place],
      outcome: coded(outcomeKinds, codes[2]!),
      why: coded(refusals, codes[3]!),
    };
  }

  /** Events after `seq`, oldest first, at most `limit`; `expired` where some of them are gone. */
  after(seq: number, limit: number): TaskEvent[] | 'expired' {
    if (seq + 1 < this.firstSeq) return 'expired';
    const events: TaskEvent[] = [];
    const last = Math.min(this.#lastSeq, seq + limit);
    for (let next = seq + 1; next <= last; next++) events.push(this.#event(next));
    return events;
  }

  /** Events of one task that are held, oldest first. O(held). */
  of(id: TaskId): TaskEvent[] {
    const wanted = new Uint32Array(idWordCount);
    packId(id, wanted);
    const events: TaskEvent[] = [];
    for (let seq = this.firstSeq; seq <= this.#lastSeq; seq++) {
      const first = (seq % this.#capacity) * idWordCount;
      if (wanted.every((word, at) => this.#words[first + at] === word)) {
        events.push(this.#event(seq));
      }
    }
    return events;
  }

  /** Field by field: a feed reads every event, and copies of parts would cost more than they. */
  #event(seq: number): TaskEvent {
    const place = seq % this.#capacity;
    const code = place * codeCount;
    const word = place * idWordCount;
    const codes = this.#codes;
    const words = this.#words;
    return {
      shard: this.#shard,
      seq,
      kind: eventKinds[codes[code]!]!,
      atMs: this.#instants[place]!,
      tenant: this.#tenants[place]!,
      attempt: this.#attempts[place] || undefined,
      node: this.#nodes[place],
      outcome: coded(outcomeKinds, codes[code + 2]!),
      why: coded(refusals, codes[code + 3]!),
      taskId: unpackId(words[word]!, words[word + 1]!, words[word + 2]!, words[word + 3]!),
      state: taskStates[codes[code + 1]!]!,
    };
  }
}
