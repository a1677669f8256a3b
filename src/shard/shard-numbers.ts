/**
 * What replicas of a shard agree on beside its tasks: state time, the digest of everything that was
 * applied, the epoch of its recoveries, the rules that it adopted, and how much expired.
 */
import { epochMax } from '../model/attempt.ts';
import { mix32 } from '../model/slots.ts';
import type { Expired, Meta } from './meta.ts';
import { firstRules } from './rules.ts';
import { instantMaxMs, stateTimeAfter, timeJumpMaxMs } from './state-time.ts';

type Numbers = Omit<Meta, 'lastSeq' | 'counts'>;

export class ShardNumbers {
  #nowMs = 0;
  #stampMs = 0;
  #digest = 0;
  /** Recoveries raise it; 0 while there was none. */
  #epoch = 0;
  #expired: Expired = { tasks: 0, toMs: 0 };
  #rules: number = firstRules;

  /** State time; 0 before the first command. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /**
   * When what begins to wait now became ready: decides order and back-off. It is state time, unless
   * that is more than a minute ahead of the stamp: then a wrong clock moved it, and no task should
   * wait for the right ones to catch up.
   */
  get readyBaseMs(): number {
    return Math.min(this.#nowMs, this.#stampMs + timeJumpMaxMs);
  }

  /** Stamp of the command that is applied: the leader's wall clock, shown and nothing else. */
  get stampMs(): number {
    return this.#stampMs;
  }

  get digest(): number {
    return this.#digest;
  }

  beginCommand(index: number, atMs: number): void {
    const stamp = Math.min(atMs, instantMaxMs);
    this.#nowMs = stateTimeAfter(this.#nowMs, this.#stampMs, stamp);
    this.#stampMs = stamp;
    this.fold(index % 2 ** 32);
    this.fold(this.#nowMs % 2 ** 32);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** To `proposed`, but by one at least. */
  raiseEpoch(proposed: number): void {
    this.#epoch = Math.min(epochMax, Math.max(this.#epoch + 1, proposed));
    this.fold(this.#epoch);
  }

  /** By which it decides from now on: see `rules.ts`. */
  get rules(): number {
    return this.#rules;
  }

  adopt(rules: number): void {
    this.#rules = Math.max(this.#rules, rules);
    this.fold(this.#rules);
  }

  /** Takes a number into the digest. */
  fold(value: number): void {
    this.#digest = mix32(Math.imul(this.#digest, 0x01000193) ^ value);
  }

  get expired(): Expired {
    return this.#expired;
  }

  /** A task that was submitted at `atMs`, by its ID, left the history. */
  countExpired(atMs: number): void {
    const { tasks, toMs } = this.#expired;
    this.#expired = { tasks: tasks + 1, toMs: Math.max(toMs, atMs) };
  }

  protected get numbers(): Numbers {
    return {
      nowMs: this.#nowMs,
      stampMs: this.#stampMs,
      digest: this.#digest,
      epoch: this.#epoch,
      expired: this.#expired,
      rules: this.#rules,
    };
  }

  protected loadNumbers(numbers: Numbers): void {
    this.#nowMs = numbers.nowMs;
    this.#stampMs = numbers.stampMs;
    this.#digest = numbers.digest;
    this.#epoch = numbers.epoch;
    this.#expired = numbers.expired;
    this.#rules = numbers.rules;
  }
}
