/** One request for each of several things, some at a time; each is done or refused by itself. */
import { type CliError, toCliError } from './cli-error.ts';

const concurrentMax = 16;

export interface Attempted<Result> {
  /** In the order of what was asked; `undefined` for what failed. */
  readonly results: readonly (Result | undefined)[];
  readonly failures: readonly (CliError | undefined)[];
  /** Stands for all failures: one whose outcome is unknown comes first. */
  readonly failure: CliError | undefined;
}

export async function forEach<Item, Result>(
  items: readonly Item[],
  command: string,
  act: (item: Item) => Promise<Result>,
): Promise<Attempted<Result>> {
  const results: (Result | undefined)[] = items.map(() => undefined);
  const failures: (CliError | undefined)[] = items.map(() => undefined);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const position = next++;
      try {
        results[position] = await act(items[position]!);
      } catch (error) {
        failures[position] = toCliError(error, command);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrentMax, items.length) }, worker));
  const failed = failures.filter(failure => failure !== undefined);
  const unknown = failed.find(({ code }) => code === 'outcomeUnknown');
  return { results, failures, failure: unknown ?? failed[0] };
}
