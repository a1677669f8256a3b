import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  deviceOf,
  flagOf,
  isStarting,
  parseArgs,
  parseEnv,
  parseLockHolder,
  parseOwner,
  parseUnit,
  readProcess,
  seesFile,
  sharesPids,
  tellArgs,
} from '../../../src/chaos/running-process.ts';
import { until } from '../../support/until.ts';

test('arguments are read as they were given, empty ones too', () => {
  const text =
    '/usr/bin/node\0/opt/tsched/run.js\0node\0start\0--data-dir\0/var/lib/a b\0--name\0\0';
  expect(parseArgs(text)).toEqual([
    ...['/usr/bin/node', '/opt/tsched/run.js', 'node', 'start'],
    ...['--data-dir', '/var/lib/a b', '--name', ''],
  ]);
});

test('the environment keeps values with = and lines in them', () => {
  expect(parseEnv('A=1\0B=x=y\nz\0C=\0junk\0A=2\0')).toEqual({ A: '1', B: 'x=y\nz', C: '' });
});

test('a flag is found in both ways to write it', () => {
  expect(flagOf(['--data-dir', '/a'], '--data-dir')).toBe('/a');
  expect(flagOf(['--data-dir=/b'], '--data-dir')).toBe('/b');
  expect(flagOf(['--data-dirs', '/c'], '--data-dir')).toBeUndefined();
});

test('a join token is not told', () => {
  expect(tellArgs(['node', '--join', 'secret', '--name', 'a'])).toBe(
    'node --join (join token) --name a',
  );
  expect(tellArgs(['--join=secret'])).toBe('--join=(join token)');
});

test('the owner is the effective user, with the other groups', () => {
  const text = 'Name:\tnode\nUid:\t0\t998\t998\t998\nGid:\t0\t997\t997\t997\nGroups:\t4 997 \n';
  expect(parseOwner(text)).toEqual({ uid: 998, gid: 997, groups: [4, 997] });
  expect(parseOwner('')).toBeUndefined();
});

test.each([
  ['0::/system.slice/tsched.service\n', 'tsched.service'],
  ['3:cpu:/\n1:name=systemd:/system.slice/tsched@a.service\n0::/\n', 'tsched@a.service'],
  ['0::/user.slice/user-1000.slice/session-3.scope\n', undefined],
  ['0::/user.slice/user-1000.slice/user@1000.service\n', undefined],
  ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n', 'x.service'],
  ['0::/\n', undefined],
])('the service of %j', (text, unit) => {
  expect(parseUnit(text)).toBe(unit);
});

test('the holder of a lock is told by the file, not by its number alone', () => {
  const text = [
    '1: OFDLCK ADVISORY  READ -1 fe:00:2181381 201 201',
    '2: FLOCK  ADVISORY  WRITE 12602 fe:00:77 0 EOF',
    '3: POSIX  ADVISORY  READ 12603 fe:00:77 0 EOF',
    '4: POSIX  ADVISORY  WRITE 12604 fe:01:77 0 EOF',
    '4: -> POSIX  ADVISORY  WRITE 12605 fe:00:77 0 EOF',
    '5: POSIX  ADVISORY  WRITE 12606 fe:00:77 0 EOF',
  ].join('\n');
  expect(parseLockHolder(text, 'fe:00', '77')).toBe(12_606);
  expect(parseLockHolder(text, 'fe:00', '78')).toBeUndefined();
});

test.each([
  [0xfe00n, 'fe:00'],
  [0x801n, '08:01'],
  [0x1000_0003n, '00:10003'],
])('device %s is written %s', (dev, text) => {
  expect(deviceOf(dev)).toBe(text);
});

test('this process is read as it is, and sees its own files', () => {
  const found = readProcess(process.pid);
  expect(found).toMatchObject({ pid: process.pid, cwd: process.cwd() });
  expect(found?.owner.uid).toBe(process.geteuid?.());
  expect(found?.executable).toBe(process.execPath);
  expect(found?.env['PATH']).toBeDefined();
  expect(sharesPids(process.pid)).toBe(true);
  const dir = mkdtempSync(join(tmpdir(), 'tsched-unit-proc-'));
  try {
    const file = join(dir, 'log');
    expect(seesFile(process.pid, file)).toBe(false);
    writeFileSync(file, '');
    expect(seesFile(process.pid, file)).toBe(true);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a process on its way to a store is told by its arguments', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsched-unit-proc-'));
  const wait = 'setTimeout(() => {}, 60_000)';
  const child = spawn(process.execPath, ['-e', wait, 'start', '--data-dir', dir]);
  try {
    await until('it is seen', () => isStarting(dir), 10_000);
    expect(isStarting(`${dir}x`)).toBe(false);
    child.kill('SIGKILL');
    await until('it is gone', () => !isStarting(dir), 10_000);
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  }
});

test('a process that is gone is nobody', () => {
  expect(readProcess(4_194_305)).toBeUndefined();
});
