/** The few lines of POSIX shell that run between the supervisor and what it starts. */

/**
 * As PID 1 of a namespace: runs a command, reaps whatever is orphaned meanwhile (the shell's `wait`
 * does), and ends with it. When PID 1 ends, the kernel ends everything in the namespace.
 */
export const initScript =
  'exec 3<&0; trap : TERM INT HUP; "$@" <&3 3<&- & c=$!; exec 3<&-; ' +
  'while :; do wait $c; r=$?; kill -0 $c 2>/dev/null || break; done; exit $r';

/**
 * Puts itself into the control groups that are its arguments up to `--`, then becomes the command
 * behind that. Without a variable: it may be one of the command's environment.
 */
export const joinScript =
  'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" || exit 126; shift; done; shift; exec "$@"';

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Variables that some shell sets by itself, changes, or does not hand on. */
const shellNames: readonly string[] = [
  ...['PWD', 'OLDPWD', 'SHLVL', '_', 'IFS', 'OPTIND', 'PPID', 'PS1', 'PS2', 'PS4', 'LINENO'],
  ...['UID', 'EUID', 'RANDOM', 'SECONDS', 'SHELLOPTS', 'BASHOPTS', 'POSIXLY_CORRECT'],
];

/**
 * Arguments that run `argv` with exactly the environment `env`, which the shell is given too.
 * What it would drop or change is told to `env`; where the shell adds variables (`exact` is
 * false), those are taken away again. All else goes past the arguments: everybody on the machine
 * can read them.
 */
export function exactly(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  exact: boolean,
): string[] {
  const special = (name: string): boolean => shellNames.includes(name) || !plainName.test(name);
  const set = Object.entries(env).filter(([name]) => special(name));
  const unset = exact ? [] : shellNames.filter(name => env[name] === undefined);
  if (set.length === 0 && unset.length === 0) return [...argv];
  return [
    '/usr/bin/env',
    ...unset.flatMap(name => ['-u', name]),
    ...set.map(([name, value]) => `${name}=${value}`),
    ...argv,
  ];
}
