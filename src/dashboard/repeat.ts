/**
 * Work that is done again and again while somebody looks. A page in a hidden tab asks for nothing:
 * browsers allow six connections to a node, for all of its tabs together.
 */

/** Resolves after `delayMs`, or when the signal aborts. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, delayMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}

/** Resolves when the page can be seen, or when the signal aborts. */
export function untilSeen(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    function look(): void {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', look);
      resolve();
    }
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
    look();
  });
}

export interface Repeated {
  /** Does it soon, also where it is not due. */
  soon(): void;
}

export interface RepeatOptions {
  readonly everyMs: number;
  /** `soon` waits this long first, so that a burst of reasons is one. */
  readonly soonMs: number;
  readonly signal: AbortSignal;
  /** Told how each round went: `undefined` where it went well. */
  readonly told: (error: unknown) => void;
}

/** Runs `work` now and then until the signal aborts; never twice at the same time. */
export function repeat(options: RepeatOptions, work: () => Promise<void>): Repeated {
  const { everyMs, soonMs, signal, told } = options;
  let wanted = false;
  let hurry = new AbortController();
  const round = async (): Promise<number> => {
    const startedMs = performance.now();
    wanted = false;
    try {
      await work();
      if (!signal.aborted) told(undefined);
    } catch (error) {
      if (!signal.aborted) told(error);
    }
    return performance.now() - startedMs;
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await untilSeen(signal);
      if (signal.aborted) return;
      const tookMs = await round();
      if (!wanted) {
        hurry = new AbortController();
        await pause(everyMs, AbortSignal.any([signal, hurry.signal]));
      }
      // A node that takes long to answer is asked less often.
      if (wanted) await pause(Math.max(soonMs, tookMs * 3), signal);
    }
  };
  run().catch(told);
  return {
    soon() {
      wanted = true;
      hurry.abort();
    },
  };
}
