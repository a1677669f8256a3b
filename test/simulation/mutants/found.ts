/** The seeds that found the mutants, kept in `found.json` beside this file. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Hunt } from './hunt.ts';
import { mutants } from './mutants.ts';

export interface Found {
  readonly name: string;
  readonly seed: number;
  /** What the simulator said. */
  readonly verdict: string;
  readonly message: string;
}

const file = new URL('found.json', import.meta.url);

export const readFound = (): Found[] => JSON.parse(readFileSync(file, 'utf8')) as Found[];

/** Takes the results of hunts in, in the order of the mutants; what is no mutant any more goes. */
export function keepFound(hunts: readonly Hunt[]): void {
  const byName = new Map(readFound().map(one => [one.name, one]));
  for (const { name, seed, verdict = '', message = '' } of hunts) {
    if (seed === undefined) byName.delete(name);
    else byName.set(name, { name, seed, verdict, message });
  }
  const kept = mutants.flatMap(({ name }) => byName.get(name) ?? []);
  writeFileSync(file, `${JSON.stringify(kept, undefined, 2)}\n`);
}
