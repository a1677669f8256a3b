/** The list of seeds that failed once: `seed [events=N] why`, one a line; `#` begins a comment. */

export interface KeptSeed {
  readonly seed: number;
  readonly events: number | undefined;
  readonly why: string;
}

export function parseSeeds(text: string): KeptSeed[] {
  const kept: KeptSeed[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+)(?:\s+events=(\d+))?\s+(\S.*)$/.exec(line);
    if (match === null) continue;
    const [, seed, events, why] = match;
    kept.push({
      seed: Number(seed),
      events: events === undefined ? undefined : Number(events),
      why: why ?? '',
    });
  }
  return kept;
}
