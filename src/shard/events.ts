/**
 * The newest events of a shard, numbered without gaps: a ring of columns, at most
 * `limits.eventsPerShard`. The numbers are replicated state; what the ring still holds is not, a
 * restarted replica begins with an empty one and answers `expired` for what was before.
 */
import type { OutcomeKind } from '../model/attempt.ts';
import { outcomeKinds } from '../model/attempt.ts';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { type EventKind, eventKinds, type TaskEvent, taskStates } from '../model/task.ts';
import { idWordCount, unpackId } from './memory/id-words.ts';

/** An event before it has its number; the ID as words. */
interface EventDraft {
  readonly kind: EventKind;
  readonly atMs: number;
  readonly words: Uint32Array;
  readonly tenant: string;
  /** Position in `taskStates`. */
  readonly state: number;
  readonly attempt?: number | undefined;
  readonly node?: NodeId | undefined;
  readonly outcome?: OutcomeKind | undefined;
}

const capacityMin = 32;

export class EventRing {
  readonly #shard: number;
  #capacity = 0;
  #words = new Uint32Array(0);
  #attempts = new Uint32Array(0);
  #instants = new Float64Array(0);
  /** Positions of kind, state and outcome + 1 (0 is none), by threes. */
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
    this.#codes[place * 3] = eventKinds.indexOf(draft.kind);
    this.#codes[place * 3 + 1] = draft.state;
    this.#codes[place * 3 + 2] = draft.outcome ? outcomeKinds.indexOf(draft.outcome) + 1 : 0;
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
    this.#codes = new Uint8Array(capacity * 3);
  }

  #draft(seq: number): EventDraft {
    const place = seq % this.#capacity;
    const outcome = this.#codes[place * 3 + 2]!;
    return {
      kind: eventKinds[this.#codes[place * 3]!]!,
      atMs: this.#instants[place]!,
      words: this.#words.subarray(place * idWordCount, (place + 1) * idWordCount),
      tenant: this.#tenants[place]!,
      state: this.#codes[place * 3 + 1]!,
      attempt: this.#attempts[place] || undefined,
      node: this.#nodes[place],
      outcome: outcome === 0 ? undefined : outcomeKinds[outcome - 1],
    };
  }

  /** Events after `seq`, oldest first, at most `limit`; `expired` where some of them are gone. */
  after(seq: number, limit: number): TaskEvent[] | 'expired' {
    if (seq + 1 < this.firstSeq) return 'expired';
    const events: TaskEvent[] = [];
    const last = Math.min(this.#lastSeq, seq + limit);
    for (let next = seq + 1; next <= last; next++) {
      const { words, state, ...draft } = this.#draft(next);
      events.push({
        shard: this.#shard,
        seq: next,
        ...draft,
        taskId: unpackId(words[0]!, words[1]!, words[2]!, words[3]!),
        state: taskStates[state]!,
      });
    }
    return events;
  }
}
