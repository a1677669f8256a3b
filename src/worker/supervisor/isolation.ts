/**
 * Finds out, by doing it, what this machine allows for holding attempts together: PID namespaces,
 * control groups, and whether the shell hands an environment on unchanged.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execaSync } from 'execa';
import { controllersOn, createCgroup, handOn, removeCgroup } from './cgroup.ts';
import { CgroupPool } from './cgroup-pool.ts';
import { find } from './command.ts';
import { type LimitKind, type LimitProbe, probeLimits } from './limit-probe.ts';
import { baseBelow, controllers, type OwnGroups, ownGroups, parentsOf } from './own-groups.ts';
import type { TreeKind, TreeOptions } from './process-tree.ts';
import { exactly, joinScript } from './shell.ts';

export interface Probe<T> {
  readonly value: T | undefined;
  /** Why not, where there is no value. */
  readonly reason: string;
}

const namespaceFlags = [
  '--pid',
  '--fork',
  '--kill-child=SIGKILL',
  '--mount-proc',
  '--propagation',
  'slave',
];

const firstLine = (text: unknown): string => String(text ?? '').split('\n', 1)[0] ?? '';

/** Arguments of `unshare` that give a PID namespace here, as this user. */
export function probePidNamespace(): Probe<readonly string[]> {
  let reason = '';
  for (const flags of [namespaceFlags, ['--user', '--map-current-user', ...namespaceFlags]]) {
    const result = execaSync('unshare', [...flags, '--', '/bin/sh', '-c', 'exit 7'], {
      reject: false,
      timeout: 5_000,
    });
    if (result.exitCode === 7) return { value: flags, reason: '' };
    reason = firstLine(result.stderr) || firstLine(result.originalMessage);
  }
  return { value: undefined, reason };
}

/** A directory below a control group that attempts can be put into, made for `dataDir`. */
function probeCgroupBelow(parent: string, dataDir: string): Probe<string> {
  const base = baseBelow(parent, dataDir);
  const trial = join(base, `probe-${process.pid}`);
  try {
    handOn(parent, controllers);
    createCgroup(base);
    handOn(base, controllers);
    createCgroup(trial);
  } catch (error) {
    return { value: undefined, reason: (error as Error).message };
  }
  try {
    if (statSync(join(trial, 'cgroup.kill'), { throwIfNoEntry: false }) === undefined) {
      return { value: undefined, reason: 'the kernel has no cgroup.kill (before 5.14)' };
    }
    const argv = ['/bin/sh', '-c', 'cat /proc/self/cgroup'];
    const result = execaSync('/bin/sh', ['-c', joinScript, 'sh', trial, '--', ...argv], {
      reject: false,
    });
    if (result.exitCode === 0 && String(result.stdout).includes('probe-')) {
      return { value: base, reason: '' };
    }
    removeCgroup(base);
    return { value: undefined, reason: firstLine(result.stderr) || 'cannot enter a group' };
  } finally {
    removeCgroup(trial);
  }
}

function probeCgroup({ second }: OwnGroups, dataDir: string): Probe<string> {
  let best: Probe<string> = { value: undefined, reason: 'cgroup2 is not mounted' };
  for (const parent of second === undefined ? [] : parentsOf(second)) {
    best = probeCgroupBelow(parent, dataDir);
    if (best.value !== undefined) break;
  }
  return best;
}

/** Whether `/bin/sh` gives a command the environment it was given itself, nothing more or less. */
function probeExactShell(): boolean {
  const env = { A: '1', TSCHED_X: 'two words' };
  const argv = exactly(['/usr/bin/env'], env, true);
  const result = execaSync('/bin/sh', ['-c', 'exec "$@"', 'sh', ...argv], {
    env,
    extendEnv: false,
    reject: false,
  });
  return String(result.stdout).split('\n').sort().join('\n') === 'A=1\nTSCHED_X=two words';
}

const findUnshare = (): string => find('unshare', '/', process.env['PATH'] ?? '/usr/bin:/bin');

export interface Isolation extends LimitProbe {
  readonly tree: TreeOptions;
}

/**
 * Chooses the best of what was found, but nothing above `best` and `bestLimits`. `namespace` is
 * what the node probed, and what this supervisor then runs in, or why there is none.
 */
export function chooseIsolation(
  dataDir: string,
  namespace: Probe<readonly string[]>,
  { best, bestLimits }: { readonly best: TreeKind; readonly bestLimits: LimitKind },
): Isolation {
  const own = ownGroups(
    readFileSync('/proc/self/mountinfo', 'utf8'),
    readFileSync('/proc/self/cgroup', 'utf8'),
  );
  const cgroup =
    best === 'cgroup' ? probeCgroup(own, dataDir) : { value: undefined, reason: 'switched off' };
  const base = cgroup.value ?? '';
  const { limiter, words, labels } = probeLimits(dataDir, own, base, bestLimits);
  const unshare = namespace.value;
  const kind =
    cgroup.value !== undefined ? 'cgroup' : unshare !== undefined ? 'pidNamespace' : 'processGroup';
  const exactCpu = kind === 'cgroup';
  const exactMemory = base !== '' && controllersOn(base).includes('memory');
  const titles = {
    cgroup: 'control group per attempt',
    pidNamespace: 'PID namespace per attempt',
    processGroup: 'process group per attempt (degraded: setsid leaves it)',
  };
  return {
    tree: {
      kind,
      pool: base === '' ? undefined : new CgroupPool(base, exactMemory),
      unshare: { file: unshare === undefined ? '' : findUnshare(), args: unshare ?? [] },
      exactShell: probeExactShell(),
    },
    limiter,
    labels,
    words: {
      isolation: titles[kind],
      cgroup: cgroup.value ?? `none: ${cgroup.reason}`,
      pidNamespace:
        unshare === undefined
          ? `none: ${namespace.reason}`
          : `of the supervisor${unshare.includes('--user') ? ', in a user namespace' : ''}`,
      init:
        unshare === undefined
          ? 'none; a guard ends attempts with the supervisor'
          : '/bin/sh, reaping',
      cpuTime: exactCpu ? 'exact, whole tree' : 'sampled',
      peakMemory: exactMemory ? 'exact, whole tree' : 'sampled: a short peak may be missed',
      ...words,
    },
  };
}
