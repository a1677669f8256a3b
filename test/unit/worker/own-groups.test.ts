import { describe, expect, test } from 'vitest';
import { baseBelow, ownGroups, parentsOf } from '../../../src/worker/supervisor/own-groups.ts';

const mount = (root: string, point: string, kind: string, options: string): string =>
  `36 25 0:30 ${root} ${point} rw,nosuid shared:9 - ${kind} ${kind} rw,${options}`;

describe('our control groups', () => {
  test('on a hybrid machine: version 1 has the controllers, cgroup2 none', () => {
    const mounts = [
      '22 1 254:0 / / rw - ext4 /dev/vda rw',
      mount('/', '/sys/fs/cgroup/memory', 'cgroup', 'memory'),
      mount('/', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'cpu,cpuacct'),
      mount('/', '/sys/fs/cgroup/unified', 'cgroup2', 'nsdelegate'),
    ].join('\n');
    const membership = '8:cpu,cpuacct:/\n4:memory:/api/one\n1:name=systemd:/x\n0::/\n';
    expect(ownGroups(mounts, membership)).toEqual({
      second: '/sys/fs/cgroup/unified',
      first: { memory: '/sys/fs/cgroup/memory/api/one', cpu: '/sys/fs/cgroup/cpu,cpuacct' },
    });
  });

  test('where cgroup2 has everything', () => {
    const mounts = mount('/', '/sys/fs/cgroup', 'cgroup2', 'nsdelegate,memory_recursiveprot');
    expect(ownGroups(mounts, '0::/system.slice/tsched.service\n')).toEqual({
      second: '/sys/fs/cgroup/system.slice/tsched.service',
      first: {},
    });
  });

  test('in a container that sees a part of the hierarchy', () => {
    const mounts = [
      mount('/docker/abc', '/sys/fs/cgroup/memory', 'cgroup', 'memory'),
      mount('/docker/abc', '/sys/fs/cgroup/unified', 'cgroup2', 'x'),
    ].join('\n');
    expect(ownGroups(mounts, '4:memory:/docker/abc/inner\n0::/docker/abc\n')).toEqual({
      second: '/sys/fs/cgroup/unified',
      first: { memory: '/sys/fs/cgroup/memory/inner' },
    });
  });

  test('are none where nothing is mounted, or nothing is told', () => {
    expect(ownGroups('', '')).toEqual({ second: undefined, first: {} });
    const mounts = mount('/', '/sys/fs/cgroup/memory', 'cgroup', 'memory');
    expect(ownGroups(mounts, '0::/\n')).toEqual({ second: undefined, first: {} });
  });
});

test('attempts go below the unit of a service that was put into a group of it, else below it', () => {
  const unit = '/sys/fs/cgroup/system.slice/tsched.service';
  expect(parentsOf(`${unit}/node`)).toEqual([unit, `${unit}/node`]);
  expect(parentsOf(unit)).toEqual([unit]);
  expect(parentsOf('/sys/fs/cgroup')).toEqual(['/sys/fs/cgroup']);
});

test('each data directory has a group of its own', () => {
  const [one, two] = ['/var/a', '/var/b'].map(dir => baseBelow('/sys/fs/cgroup', dir));
  expect(one).toMatch(/^\/sys\/fs\/cgroup\/tsched-[0-9a-f]{16}$/);
  expect(one).not.toBe(two);
});
