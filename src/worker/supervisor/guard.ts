/**
 * Where there is no PID namespace, a kill -9 of the supervisor would leave its attempts running.
 * This is a shell of a few hundred kilobytes that holds the other end of a pipe: when the
 * supervisor is gone, however that came, the pipe closes and the shell ends the attempts: their
 * control groups, and every process that has one of them in its environment. Degraded: it can be
 * killed itself, and a process may have emptied its environment.
 */
import { execa } from 'execa';
import type { AttemptKey } from '../../ports/runner.ts';

/** `+ KEY` and `- KEY` come in; a key is `<task id>.<fence>`. */
const script = [
  'trap "" TERM INT HUP',
  'keys=" "',
  'while read -r word key; do',
  '  case $word in',
  '    +) keys="$keys$key ";;',
  '    -) keys="${keys%% $key *} ${keys#* $key }";;',
  '  esac',
  'done',
  '[ -z "$0" ] || echo 1 >"$0/cgroup.kill"',
  // The starter ends with the supervisor; what it forked last shows its environment by then.
  'sleep 0.1 || sleep 1',
  'pass=0',
  'found=yes',
  'while [ "$found" = yes ] && [ "$pass" -lt 1000 ]; do',
  '  found=no',
  '  pass=$((pass + 1))',
  '  for file in /proc/[0-9]*/environ; do',
  '    pid=${file#/proc/}',
  '    pid=${pid%/environ}',
  '    env=" $({ tr \'\\0\\n\' \' _\' <"$file"; } 2>/dev/null) "',
  '    for key in $keys; do',
  '      case $env in *" TSCHED_TASK_ID=${key%.*} "*) ;; *) continue;; esac',
  '      case $env in *" TSCHED_FENCE=${key##*.} "*) kill -9 "$pid" && found=yes;; esac',
  '    done',
  '  done',
  'done',
].join('\n');

export class Guard {
  readonly #write: (text: string) => void;

  /**
   * `base` is the control group of all attempts, or empty. `onEnd` is called should it ever end.
   */
  constructor(base: string, onEnd: (error: Error) => void) {
    const subprocess = execa('/bin/sh', ['-c', script, base], {
      cwd: '/',
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
    });
    subprocess.stdin.on('error', onEnd);
    void subprocess.then(() => onEnd(new Error('the guard of the attempts has ended')));
    this.#write = text => void subprocess.stdin.write(text);
  }

  /** To be called before the attempt has a process. */
  add(key: AttemptKey): void {
    this.#write(`+ ${key}\n`);
  }

  remove(key: AttemptKey): void {
    this.#write(`- ${key}\n`);
  }
}
