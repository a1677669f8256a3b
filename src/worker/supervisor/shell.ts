/** The few lines of POSIX shell that run between the supervisor and what it starts. */

/**
 * As PID 1 of a namespace: runs a command, reaps whatever is orphaned meanwhile (the shell's `wait`
 * does), and ends with it. When PID 1 ends, the kernel ends everything in the namespace.
 */
export const initScript =
  'exec 3<&0; trap : TERM INT HUP; "$@" <&3 3<&- & c=$!; exec 3<&-; ' +
  'while :; do wait $c; r=$?; kill -0 $c 2>/dev/null || break; done; exit $r';

/** Puts itself into the control group `$0`, then becomes the command. */
export const joinScript = 'echo 0 >"$0/cgroup.procs" && exec "$@"';

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Arguments that run `argv` with exactly `env`. A shell drops variables whose names it cannot use,
 * and some shells add their own (`exact` is false there): then `env` sets the environment after it.
 */
export function exactly(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  exact: boolean,
): string[] {
  if (exact && Object.keys(env).every(name => plainName.test(name))) return [...argv];
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return ['/usr/bin/env', '-i', ...pairs, ...argv];
}
