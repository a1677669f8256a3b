/** Work with a time limit. */
import type { TschedError } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';

/** What `work` comes to, or `late()` where that takes longer; the work itself goes on. */
export function within<T>(
  clock: Clock,
  work: Promise<T>,
  limitMs: number,
  late: () => TschedError,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => reject(late()));
    work.then(
      value => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
