/**
 * Whether a store that starts has forgotten something. A copy of a disk from before its last start
 * cannot know the id that this start drew, however often it is started itself: so a start names the
 * ids that its store knows, and the newest one that was registered has to be among them.
 */

/** What a store knows of its own starts. */
export interface KnownStarts {
  /** Count of the newest start that the store knows to be registered; 0 where it knows of none. */
  readonly confirmedCount: number;
  /** The id of that start, and those drawn since, which may have been registered or not. */
  readonly ids: readonly string[];
}

/** A start of a store, as it was registered. */
export interface Start {
  readonly bootCount: number;
  readonly bootId: string;
}

/**
 * First letter of an id that was in its store before it was registered. Programs that did not keep
 * them drew hexadecimal ones, and `cluster init` writes `init`.
 */
const keptLetter = 's';

/** The id of a start from 128 random bits in hexadecimal. */
export const keptBootId = (hex: string): string => `${keptLetter}${hex}`;

const isKept = (bootId: string): boolean => bootId.startsWith(keptLetter);

/**
 * Whether the store of `next` has forgotten that it was started as `known`. Without `starts`, as an
 * older program registers, and where `known` is of one, only the count can tell. What is known from
 * before the store's own confirmed start is old news: a registry that was itself set back, or a
 * peer that lags.
 */
export function hasForgotten(known: Start, next: Start, starts: KnownStarts | undefined): boolean {
  const sameStart = known.bootCount === next.bootCount && known.bootId === next.bootId;
  if (sameStart) return false;
  if (known.bootCount >= next.bootCount) return true;
  if (starts === undefined || !isKept(known.bootId)) return false;
  return known.bootCount >= starts.confirmedCount && !starts.ids.includes(known.bootId);
}
