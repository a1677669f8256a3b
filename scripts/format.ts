/** `npm run format`: formats all sources and applies safe fixes. */
import { bin, run } from './run.ts';

export async function main(_argv: readonly string[]): Promise<number> {
  return run(bin('biome'), ['check', '--write', '.']);
}
