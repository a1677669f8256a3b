/** The list of seeds that failed once: `seed [events=N] [in=CIRCUMSTANCES] why`, one a line. */
import { type Circumstances, isCircumstances } from './options.ts';

export interface KeptSeed {
  readonly seed: number;
  readonly events: number | undefined;
  readonly in: Circumstances | undefined;
  readonly why: string;
}

/** Lines that do not begin with a number are comments. */
export function parseSeeds(text: string): KeptSeed[] {
  const kept: KeptSeed[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+)(?:\s+events=(\d+))?(?:\s+in=(\w+))?\s+(\S.*)$/.exec(line);
    if (match === null) continue;
    const [, seed, events, circumstances, why] = match;
    kept.push({
      seed: Number(seed),
      events: events === undefined ? undefined : Number(events),
      in: circumstances !== undefined && isCircumstances(circumstances) ? circumstances : undefined,
      why: why ?? '',
    });
  }
  return kept;
}
