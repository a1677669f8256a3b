/** What is written to control groups, on directories of plain files that stand for them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { handOn } from '../../../src/worker/supervisor/cgroup.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsched-cgroup-'));
  writeFileSync(join(dir, 'cgroup.subtree_control'), '');
});
afterEach(() => rmSync(dir, { recursive: true }));

function handedOn(files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  handOn(dir, ['cpu']);
  return readFileSync(join(dir, 'cgroup.subtree_control'), 'utf8');
}

// The kernel takes `cpu` and `pids` there, for threads: no process can enter a group below then.
test('a group with processes hands nothing on, also where none of them can be seen', () => {
  expect(handedOn({ 'cgroup.events': '', 'cgroup.procs': '0\n' })).toBe('');
});

test('a group without processes hands on, and so does that of all', () => {
  expect(handedOn({ 'cgroup.procs': '17\n' })).toBe('+cpu');
  expect(handedOn({ 'cgroup.events': '', 'cgroup.procs': '' })).toBe('+cpu');
});
