/** Why nothing keeps attempts to their limits, by directories that stand for control groups. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { probeLimits } from '../../../src/worker/supervisor/limit-probe.ts';

const watched = 'looked at ten times a second, and ended when it is seen to be over';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsched-limit-probe-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** The words of a node whose own group of cgroup2 has these files, and whose attempts have none. */
function wordsOf(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const own = join(dir, 'own');
  mkdirSync(own);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(own, name), text);
  return probeLimits(dir, { second: own, first: {} }, '', 'kernel').words;
}

const on = {
  'cgroup.controllers': 'cpu memory\n',
  'cgroup.subtree_control': '',
  'cgroup.events': 'populated 1\nfrozen 0\n',
};

test('a group that has processes is told, with what helps, apart from what is not on', () => {
  const words = wordsOf({ ...on, 'cgroup.procs': '17\n' });
  const why =
    `controller is on in ${dir}/own, but a group with processes cannot hand it on; ` +
    'let the node start in a group below it (systemd: DelegateSubgroup=)';
  expect(words).toEqual({
    memoryLimit: `${watched}: the memory ${why}`,
    cpuLimit: `not enforced: the cpu ${why}`,
    processLimit: 'not enforced: no pids controller of control groups is handed on to this process',
  });
});

test('that of all may have processes: then it is something else', () => {
  const { 'cgroup.events': _, ...root } = on;
  expect(wordsOf({ ...root, 'cgroup.procs': '17\n' })['cpuLimit']).toBe(
    `not enforced: the cpu controller is on in ${dir}/own, ` +
      'but attempts cannot be put into groups below it',
  );
});

test('a group of somebody else is told', () => {
  const { 'cgroup.subtree_control': _, ...foreign } = on;
  expect(wordsOf({ ...foreign, 'cgroup.procs': '' })['cpuLimit']).toBe(
    `not enforced: the cpu controller is on in ${dir}/own, but that group is not this user's; ` +
      'let it be delegated (systemd: Delegate=)',
  );
});
