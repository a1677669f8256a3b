/**
 * A process of its own that loads the program with one bug in it and runs seeds until one fails:
 * `node hunt.ts NAME SECONDS SEED...`. The seeds named come first, then 1 and up. Prints one line
 * of JSON, a `Hunt`. Nothing of the program may be loaded before the bug is planted.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { RunResult } from '../run.ts';
import { editsOf, type Mutant, plant, seedsMax } from './mutant.ts';
import { mutants } from './mutants.ts';

/** What became of a hunt. */
export interface Hunt {
  readonly name: string;
  /** The seed that found it; absent where none did in time. */
  readonly seed?: number | undefined;
  readonly verdict?: string | undefined;
  readonly message?: string | undefined;
  /** Seeds that were run. */
  readonly seeds: number;
  readonly seconds: number;
}

export const rootUrl = new URL('../../../', import.meta.url);

/** Loads the files of the mutant with the bug in them; tells which were not loaded yet. */
function arm(mutant: Mutant): () => string[] {
  const waiting = new Map(editsOf(mutant).map(edit => [new URL(edit.file, rootUrl).href, edit]));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const edit = waiting.get(url);
      if (edit === undefined) return loaded;
      waiting.delete(url);
      return { ...loaded, source: plant(String(loaded.source), edit) };
    },
  });
  return () => [...waiting.values()].map(edit => edit.file);
}

export async function hunt(
  mutant: Mutant,
  first: readonly number[],
  secondsMax: number,
): Promise<Hunt> {
  const planted = arm(mutant);
  const { runSeed } = await import('../run.ts');
  if (!planted())
    throw new Error(`mutant ${mutant.name}: the simulator never loads ${mutant.file}`);
  const startedMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedMs) / 100) / 10;
  const rest = Array.from({ length: seedsMax }, (_, at) => at + 1);
  let seeds = 0;
  for (const seed of [...first, ...rest].slice(0, seedsMax)) {
    if (seconds() > secondsMax) break;
    seeds++;
    const result: RunResult = await runSeed(seed, { in: mutant.in, options: mutant.options });
    if (result.verdict === 'ok') continue;
    const { verdict, message } = result;
    const line = message.split('\n')[0]!.slice(0, 160);
    return { name: mutant.name, seed, verdict, message: line, seeds, seconds: seconds() };
  }
  return { name: mutant.name, seeds, seconds: seconds() };
}

/** The path of this file, for whoever starts it. */
export const huntProgram = fileURLToPath(import.meta.url);

if (import.meta.main) {
  const [name, seconds, ...seeds] = process.argv.slice(2);
  const mutant = mutants.find(one => one.name === name);
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
  const found = await hunt(mutant, seeds.map(Number), Number(seconds));
  process.stdout.write(`${JSON.stringify(found)}\n`);
  // A bug may have left something that keeps the process alive.
  process.exit(0);
}
