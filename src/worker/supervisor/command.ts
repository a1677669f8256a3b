/**
 * Checks a command before it is started, so that a start that must fail says why. The shell that
 * puts the process into its control group could only answer 126 or 127, which a command may answer
 * itself.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** Search path of an environment without `PATH`, as the C library has it. */
const defaultPath = '/bin:/usr/bin';
const headBytes = 4_096;

/** Thrown for a process that cannot be started; the message is for the submitter. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

export const explain = (what: string, code: string): StartFault => {
  const words: Record<string, string> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    ENOTDIR: 'not a directory',
    ENOEXEC: 'not in a format that can be executed',
    E2BIG: 'its arguments and environment are too large for this machine',
  };
  return new StartFault(`${what}: ${words[code] ?? 'cannot be used'} (${code})`);
};

function executable(path: string): 'yes' | 'ENOENT' | 'EACCES' {
  try {
    accessSync(path, constants.X_OK);
  } catch (error) {
    return codeOf(error) === 'EACCES' ? 'EACCES' : 'ENOENT';
  }
  return statSync(path).isFile() ? 'yes' : 'EACCES';
}

/** Path of a program as the C library finds it; throws `StartFault`. */
export function find(name: string, cwd: string, path: string): string {
  if (name === '') throw explain('cannot start an empty command', 'ENOENT');
  if (name.includes('/')) {
    const file = isAbsolute(name) ? name : join(cwd, name);
    const verdict = executable(file);
    if (verdict === 'yes') return file;
    throw explain(`cannot start ${name}`, verdict);
  }
  let denied = false;
  for (const directory of path.split(':')) {
    const file = join(isAbsolute(directory) ? directory : join(cwd, directory), name);
    const verdict = executable(file);
    if (verdict === 'yes') return file;
    denied ||= verdict === 'EACCES';
  }
  throw explain(`cannot start ${name}`, denied ? 'EACCES' : 'ENOENT');
}

/** First bytes of a file, or `undefined` where it may be executed but not read. */
function headOf(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'EACCES') return undefined;
    throw explain(`cannot start ${file}`, codeOf(error));
  }
  try {
    const head = Buffer.alloc(headBytes);
    return head.subarray(0, readSync(fd, head, 0, headBytes, 0));
  } finally {
    closeSync(fd);
  }
}

function checkFormat(file: string, cwd: string): void {
  const head = headOf(file);
  if (head === undefined || head.subarray(0, 4).toString('latin1') === '\x7fELF') return;
  if (head.subarray(0, 2).toString('latin1') === '#!') {
    const line = head.toString('utf8').slice(2).split('\n', 1)[0] ?? '';
    // As the kernel reads it: a carriage return is part of the name.
    const interpreter = /^[ \t]*([^ \t]*)/.exec(line)?.[1] ?? '';
    if (interpreter.endsWith('\r')) {
      throw new StartFault(`cannot start ${file}: its lines end as on Windows (CR LF), not in LF`);
    }
    const at = isAbsolute(interpreter) ? interpreter : join(cwd, interpreter);
    const verdict = interpreter === '' ? 'ENOENT' : executable(at);
    if (verdict !== 'yes')
      throw explain(`cannot start ${file}: interpreter ${interpreter}`, verdict);
    return;
  }
  // Text without `#!` is run by the shell, as POSIX has it; anything else cannot be.
  if (head.includes(0)) throw explain(`cannot start ${file}`, 'ENOEXEC');
}

/** Throws `StartFault` unless `cwd` is a directory that can be entered. */
export function checkDirectory(cwd: string): void {
  try {
    accessSync(cwd, constants.X_OK);
  } catch (error) {
    throw explain(`working directory ${cwd}`, codeOf(error));
  }
  if (!statSync(cwd).isDirectory()) throw explain(`working directory ${cwd}`, 'ENOTDIR');
}

/**
 * Path of what to execute in `cwd`; throws `StartFault` unless the command can be found, executed
 * and understood.
 */
export function checkCommand(
  argv: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): string {
  const name = argv[0] ?? '';
  const file = find(name, cwd, env['PATH'] ?? defaultPath);
  checkFormat(file, cwd);
  const bad = [...argv, ...Object.keys(env), ...Object.values(env)].some(text =>
    text.includes('\0'),
  );
  if (bad) throw new StartFault('an argument or the environment contains a NUL character');
  // A script is told the path that it is executed by.
  return name.includes('/') ? name : file;
}
