/**
 * The process of a node, set up to hold a great many tasks in little memory: flags and environment
 * that are read when a process starts only. So the command that starts a node replaces its own
 * process once, by `execve`: same process ID, terminal and arguments. See ADR 0038 and 0039.
 */

/** Bytes that die young are collected in smaller heaps: a third of them is kept free each time. */
const youngFlag = '--max-semi-space-size';
/** Those that live are collected once they have become so much more; left to V8, three times. */
const oldFlag = '--heap-growing-percent';
/** For `quiet-memory.ts`. */
const collectFlag = '--expose-gc';
const flags = [`${youngFlag}=8`, `${oldFlag}=70`, collectFlag];

/**
 * Of glibc. Few arenas, as LevelDB's threads would have one each; and columns of a shard, which
 * grow by being copied, come from the system and go back to it instead of leaving holes.
 */
const allocator = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(256 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(1024 * 1024),
};

const startsNode = (argv: readonly string[]): boolean => argv[0] === 'node' && argv[1] === 'start';

/**
 * Returns where there is nothing to be done: another command, a process that has been set up, one
 * whose young heap somebody chose, and systems that cannot replace a process.
 */
export function setUpNodeProcess(argv: readonly string[]): void {
  const { env, execArgv, execPath, execve } = process;
  const chosen = [...execArgv, env['NODE_OPTIONS'] ?? ''].some(one => one.includes(youngFlag));
  // A channel to the process that forked this one would not be there afterwards.
  if (!startsNode(argv) || chosen || execve === undefined || process.connected) return;
  const args = [execPath, ...flags, ...execArgv, ...process.argv.slice(1)];
  try {
    execve.call(process, execPath, args, { ...allocator, ...env });
  } catch {
    // It does without.
  }
}
