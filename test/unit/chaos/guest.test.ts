import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { livesOf, readAttemptLog } from '../../../src/chaos/attempt-log.ts';
import { checkHistory } from '../../../src/chaos/checks.ts';
import { makeDraw } from '../../../src/chaos/draw.ts';
import { ForgetfulDisk, sectorBytes } from '../../../src/chaos/forgetful-disk.ts';
import { qemuCommand } from '../../../src/chaos/guest.ts';
import { type ArchiveEntry, writeArchive } from '../../../src/chaos/guest-archive.ts';
import { findKernel, type GuestKernel } from '../../../src/chaos/guest-kernel.ts';
import { agentScript, initScript, nodeScript } from '../../../src/chaos/guest-script.ts';
import { NbdServer } from '../../../src/chaos/nbd-server.ts';
import { bounds, past, task } from './past.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsched-test-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const sectors = (count: number, byte: number): Buffer => Buffer.alloc(count * sectorBytes, byte);

function makeDisk(count: number): ForgetfulDisk {
  const path = join(dir, 'disk');
  writeFileSync(path, sectors(count, 0));
  return new ForgetfulDisk(path);
}

describe('A disk that forgets', () => {
  test('shows what was written before it was flushed', () => {
    const disk = makeDisk(8);
    disk.write(sectorBytes, sectors(2, 7));
    expect(disk.read(0, 4 * sectorBytes)).toEqual(
      Buffer.concat([sectors(1, 0), sectors(2, 7), sectors(1, 0)]),
    );
    disk.close();
  });

  test('keeps every sector that was flushed, whatever the draw', () => {
    const flushed = fc.array(fc.nat(7), { minLength: 1 });
    fc.assert(
      fc.property(flushed, fc.array(fc.nat(7)), fc.nat(), (kept, risked, seed) => {
        const disk = makeDisk(8);
        for (const place of kept) disk.write(place * sectorBytes, sectors(1, 1));
        disk.flush();
        for (const place of risked) disk.write(place * sectorBytes, sectors(1, 2));
        const { lost, kept: survived } = disk.cutPower(makeDraw(seed));
        expect(lost + survived).toBe(new Set(risked).size);
        const after = disk.read(0, 8 * sectorBytes);
        for (let place = 0; place < 8; place++) {
          const found = after[place * sectorBytes];
          const old = kept.includes(place) ? 1 : 0;
          expect(risked.includes(place) ? [old, 2] : [old]).toContain(found);
        }
        disk.close();
      }),
    );
  });

  test('forgets writes that came before ones that survive, and all of them now and then', () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const disk = makeDisk(2);
      disk.write(0, sectors(2, 9));
      disk.cutPower(makeDraw(seed));
      outcomes.add([0, sectorBytes].map(place => disk.read(place, 512)[0]).join());
      disk.close();
    }
    expect([...outcomes].sort()).toEqual(['0,0', '0,9', '9,0', '9,9']);
  });
});

/** As much of a client as one request needs. */
async function askDisk(path: string, requests: readonly Buffer[], bytes: number): Promise<Buffer> {
  const socket = connect(path);
  const flags = Buffer.from('00000003', 'hex');
  const go = Buffer.concat([
    Buffer.from('IHAVEOPT', 'latin1'),
    Buffer.from('00000007000000060000000000000000'.slice(0, 28), 'hex'),
  ]);
  socket.write(Buffer.concat([flags, go, ...requests]));
  let said: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    said = Buffer.concat([said, chunk as Buffer]);
    if (said.length >= bytes) break;
  }
  return said;
}

function request(
  type: number,
  offset: number,
  length: number,
  data: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x25609513, 0);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(BigInt(type + 1), 8);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  return Buffer.concat([head, data]);
}

test('a client of the disk writes, flushes and reads, and is told what is outside of it', async () => {
  const disk = makeDisk(4);
  const path = join(dir, 'nbd');
  const server = await NbdServer.listen(disk, path);
  const hello = 18 + (20 + 12) + 20;
  const requests = [
    request(1, 512, 512, sectors(1, 5)),
    request(3, 0, 0),
    request(0, 0, 1_024),
    request(0, 4 * 512, 512),
  ];
  const said = await askDisk(path, requests, hello + 4 * 16 + 1_024);
  await server.close();
  expect(said.readBigUInt64BE(18 + 20 + 2)).toBe(4n * 512n);
  expect(said.subarray(hello).toString('hex')).toBe(
    [
      '67446698000000000000000000000002',
      '67446698000000000000000000000004',
      `67446698000000000000000000000001${'00'.repeat(512)}${'05'.repeat(512)}`,
      '67446698000000160000000000000001',
    ].join(''),
  );
  expect(disk.flushes).toBe(1);
  expect(disk.cutPower(makeDraw(1))).toEqual({ lost: 0, kept: 0 });
  disk.close();
});

test('an archive holds directories before what is in them, links and files', () => {
  writeFileSync(join(dir, 'program'), 'abc');
  const entries = new Map<string, ArchiveEntry>([
    ['/bin', { kind: 'link', to: 'usr/bin' }],
    ['/usr/bin/program', { kind: 'file', path: join(dir, 'program'), mode: 0o755 }],
    ['/init', { kind: 'bytes', bytes: Buffer.from('#!'), mode: 0o755 }],
  ]);
  writeArchive(join(dir, 'archive'), entries);
  const found: string[] = [];
  const bytes = readFileSync(join(dir, 'archive'));
  const even = (length: number): number => Math.ceil(length / 4) * 4;
  for (let at = 0; at < bytes.length; ) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701');
    const field = (place: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + place * 8, at + 14 + place * 8), 16);
    const name = bytes.toString('latin1', at + 110, at + 110 + field(11) - 1);
    const from = even(at + 110 + field(11));
    found.push(
      `${field(1).toString(8)} ${name} ${bytes.toString('latin1', from, from + field(6))}`,
    );
    at = even(from + field(6));
  }
  expect(found).toEqual([
    '120777 bin usr/bin',
    '100755 init #!',
    '40755 usr ',
    '40755 usr/bin ',
    '100755 usr/bin/program abc',
    '100000 TRAILER!!! ',
  ]);
});

describe('A kernel for a guest', () => {
  const lay = (version: string, files: Readonly<Record<string, string>>): void => {
    const modules = join(dir, 'lib/modules', version);
    mkdirSync(join(dir, 'boot'), { recursive: true });
    mkdirSync(join(modules, 'kernel'), { recursive: true });
    writeFileSync(join(dir, 'boot', `vmlinuz-${version}`), '');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(modules, name), text);
    vi.stubEnv('TSCHED_CHAOS_KERNEL', dir);
  };
  const module = (depends: string): string => `\x7fELF\0license=GPL\0depends=${depends}\0`;

  test('is the newest, with each module after those that it needs', () => {
    lay('6.1.9-amd64', { 'modules.builtin': '' });
    lay('6.1.10-amd64', {
      'modules.builtin': 'kernel/fs/ext4/ext4.ko\n',
      'kernel/virtio_pci.ko': module('virtio,virtio_ring'),
      'kernel/virtio.ko': module(''),
      'kernel/virtio_ring.ko': module('virtio'),
      'kernel/virtio_blk.ko': module('virtio'),
      'kernel/virtio_net.ko.xz': '',
    });
    const kernel = findKernel();
    expect(kernel).toMatchObject({ version: '6.1.10-amd64' });
    const { modules } = kernel as GuestKernel;
    expect(modules.map(path => path.slice(path.lastIndexOf('/') + 1))).toEqual([
      'virtio.ko',
      'virtio_ring.ko',
      'virtio_pci.ko',
      'virtio_blk.ko',
      'virtio_net.ko.xz',
    ]);
  });

  test('is none where there is no kernel, or a driver is missing', () => {
    vi.stubEnv('TSCHED_CHAOS_KERNEL', dir);
    expect(findKernel()).toContain('/boot/vmlinuz-*');
    lay('6.1.9-amd64', { 'modules.builtin': 'kernel/fs/ext4/ext4.ko\n' });
    expect(findKernel()).toContain('6.1.9-amd64 has no virtio_pci');
  });
});

test('QEMU is reached from loopback only, and the guest reaches nobody', () => {
  const words = qemuCommand(
    {
      ...{ qemu: '/usr/bin/qemu', accelerator: 'tcg', kernel: '/k', image: '/i', memoryMiB: 512 },
      ...{ consoleFile: '/c', disks: ['file=a'], prefix: ['setpriv'] },
      forwards: [{ host: 4_001, to: '10.0.2.15:7071' }],
      onLine: () => undefined,
      onEnd: () => undefined,
    },
    3,
  );
  expect(words.slice(0, 2)).toEqual(['setpriv', '/usr/bin/qemu']);
  expect(words).toContain(
    'user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:4001-10.0.2.15:7071',
  );
  const kernelWords = words.find(word => word.includes('chaos_boot=3'))!.split(' ');
  expect(kernelWords).toContain('console=ttyS0');
  // On a busy machine the trial of the timer fails now and then, and the kernel gives up.
  expect(kernelWords).toContain('no_timer_check');
});

test('the scripts of a guest are shell', () => {
  const node = nodeScript(['/a b/node', "it's"], ['--label', 'a=$b']);
  for (const script of [initScript, agentScript, node]) {
    expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' }).stderr).toBe('');
  }
  const echoed = execFileSync('sh', ['-c', node.replace('exec ', "printf '%s\\n' "), 'sh', '2']);
  expect(echoed.toString().trimEnd().split('\n')).toEqual([
    ...['/a b/node', "it's", 'node', 'start', '--data-dir', '/data/n2', '--name', 'n2'],
    ...['--listen', '/ip4/127.0.0.1/tcp/7172', '--http', '10.0.2.15:7072'],
    ...['--allow-insecure-http', '--label', 'a=$b'],
  ]);
});

describe('Attempts over several boots', () => {
  const read = (...lines: string[]) => readAttemptLog(lines.join('\n'));

  test("are told in the machine's time, each boot by when its clock began", () => {
    const lines = read(
      ...['boot 1 100', 'start 1 task1 1 5 n1', 'alive 1 ta', '', 'boot 2 200'],
      ...['start 1 task1 2 4.5 n2', 'end 1 task1 2 6 n2'],
    );
    expect(livesOf(lines).get(1)).toEqual([
      expect.objectContaining({ fence: 1, fromS: 105, toS: 105, boots: [1], ended: false }),
      expect.objectContaining({ fence: 2, fromS: 204.5, toS: 206, boots: [2], ended: true }),
    ]);
  });

  const alone = (lines: ReturnType<typeof read>) => {
    const tasks = new Map([['task1', task(1, 'lost', 'succeeded')]]);
    const checks = checkHistory(past({ lines, tasks }), bounds);
    return checks.find(check => check.name === 'alone')!.cases;
  };

  test('do not overlap across a boot, even where its clock was told late', () => {
    // The second boot is said to have begun before the first one was over.
    const lines = ['boot 1 100', 'start 1 task1 1 5 n1', 'alive 1 task1 1 9 n1', 'boot 2 100'];
    expect(alone(read(...lines, 'start 1 task1 2 6 n2', 'end 1 task1 2 7 n2'))).toEqual([]);
  });

  test('overlap within one', () => {
    const lines = ['boot 2 100', 'start 1 task1 1 5 n1', 'alive 1 task1 1 9 n1'];
    expect(alone(read(...lines, 'start 1 task1 2 6 n2', 'end 1 task1 2 7 n2'))).toEqual([
      expect.stringContaining('task 1: attempt 1 on n1 lived until 109 s, attempt 2 on n2'),
    ]);
  });

  test('never outlive one', () => {
    const lines = ['boot 1 100', 'start 1 task1 1 5 n1', 'boot 2 200', 'end 1 task1 1 7 n1'];
    expect(alone(read(...lines))).toEqual(['task 1: attempt 1 lived in boots 1, 2']);
  });
});
