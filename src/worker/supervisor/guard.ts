/**
 * Where there is no PID namespace, a kill -9 of the supervisor would leave its attempts running.
 * This is a shell of a few hundred kilobytes that holds the other end of a pipe: when the
 * supervisor is gone, however that came, the pipe closes and the shell ends the attempts. Degraded:
 * it can be killed itself, and without control groups it knows process groups only.
 */
import { execa } from 'execa';

const script =
  'trap "" TERM INT HUP; groups=" "; ' +
  'while read -r word id; do case $word in ' +
  '+) groups="$groups$id ";; -) groups="${groups%% $id *} ${groups#* $id }";; esac; done; ' +
  '[ -z "$0" ] || echo 1 >"$0/cgroup.kill"; for id in $groups; do kill -9 "-$id"; done';

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

  add(group: number): void {
    this.#write(`+ ${group}\n`);
  }

  remove(group: number): void {
    this.#write(`- ${group}\n`);
  }
}
