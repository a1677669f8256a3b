/**
 * A node that has worked hard and is quiet again gives back what the work took: objects that are
 * dead, and pages between those that live. V8 does so by itself where a program does nothing at
 * all; a node never does, as it tells the others that it lives. See ADR 0039.
 */

/**
 * Shares of one core, of all threads: from the one on a node works, up to the other it is quiet.
 */
const busyShare = 0.5;
const quietShare = 0.25;

/** Tells when work is over. */
export class WorkWatch {
  #worked = false;

  /** A look at the share of a core that was used since the last one; true once after work. */
  isOver(share: number): boolean {
    if (share >= busyShare) this.#worked = true;
    const over = this.#worked && share <= quietShare;
    if (over) this.#worked = false;
    return over;
  }
}

/**
 * Watches this process from now on, at a look every few seconds; it collects once after work, which
 * takes about a tenth of a second, and where the flags allow it (`node-process.ts`).
 */
export function giveBackWhenQuiet(lookMs = 5_000): void {
  const collect = globalThis.gc;
  if (collect === undefined) return;
  const watch = new WorkWatch();
  let usage = process.cpuUsage();
  let atMs = performance.now();
  const look = (): void => {
    const used = process.cpuUsage(usage);
    const nowMs = performance.now();
    const share = (used.user + used.system) / 1_000 / (nowMs - atMs);
    if (watch.isOver(share)) collect({ type: 'major', flavor: 'last-resort', execution: 'sync' });
    usage = process.cpuUsage();
    atMs = performance.now();
  };
  setInterval(look, lookMs).unref();
}
