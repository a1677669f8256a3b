/**
 * Descriptors that this process was born with. LevelDB opens its files without `O_CLOEXEC`, so the
 * supervisor, and through it every task, would hold the node's write-ahead log open for writing;
 * whoever started the node may have left pipes behind, too.
 */
import { closeSync, readdirSync, readFileSync } from 'node:fs';

/** `O_CLOEXEC`: set on everything that Node itself opens. */
const closeOnExec = 0o2000000;

/** Flags a descriptor was opened with; `undefined` for one that is closed by now. */
function flagsOf(fd: number): number | undefined {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '', 8);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Closes every descriptor that a child of this process would inherit, but input and outputs. */
export function closeInheritedFiles(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    const flags = fd > 2 ? flagsOf(fd) : undefined;
    if (flags !== undefined && (flags & closeOnExec) === 0) closeSync(fd);
  }
}
