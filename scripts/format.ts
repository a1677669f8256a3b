/** `npm run format`: wraps wide comments, formats all sources and applies safe fixes. */
import { bin, run } from './run.ts';
import { wrapAllComments } from './wrap-comments.ts';

export async function main(_argv: readonly string[]): Promise<number> {
  await wrapAllComments();
  return run(bin('biome'), ['check', '--write', '.']);
}
