/**
 * Finds a kernel for a guest, with the modules that it needs: that of a Debian package, installed
 * or unpacked into a folder which TSCHED_CHAOS_KERNEL names. Nothing is fetched from anywhere.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const decompressMs = 20_000;
const moduleBytesMax = 32 * 1024 * 1024;

/** Drivers of what the guest has; a kernel may have them built in. */
const drivers = ['virtio_pci', 'virtio_blk', 'virtio_net', 'ext4'];
/** What `ext4` asks for by a name that is no file's; not every kernel has it as a module. */
const wishes = ['crc32c_generic', 'crc32c-generic'];

export interface GuestKernel {
  readonly version: string;
  readonly image: string;
  /** Files of modules, each after those that it needs. */
  readonly modules: readonly string[];
}

/** The newest kernel that can be read and has the drivers; else why there is none. */
export function findKernel(): GuestKernel | string {
  const root = process.env['TSCHED_CHAOS_KERNEL'] ?? '/';
  const boot = join(root, 'boot');
  const versions = existsSync(boot)
    ? readdirSync(boot).filter(name => name.startsWith('vmlinuz-'))
    : [];
  let why = `there is no ${boot}/vmlinuz-*`;
  const newest = versions.sort(new Intl.Collator('en', { numeric: true }).compare).toReversed();
  for (const name of newest) {
    const version = name.slice('vmlinuz-'.length);
    const image = join(boot, name);
    const found = ['usr/lib/modules', 'lib/modules'].map(dir => join(root, dir, version));
    const modules = found.find(dir => existsSync(join(dir, 'modules.builtin')));
    try {
      accessSync(image, constants.R_OK);
      if (modules === undefined) throw new Error(`there is no ${found.at(-1)}`);
      return { version, image, modules: modulesIn(modules) };
    } catch (error) {
      why = (error as Error).message;
    }
  }
  return why;
}

const nameOf = (path: string): string =>
  basename(path)
    .replace(/\.ko.*$/, '')
    .replaceAll('-', '_');

/** Modules below a folder, in the order in which they are to be loaded. */
function modulesIn(dir: string): string[] {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(path =>
    /\.ko(\.xz|\.gz|\.zst)?$/.test(path),
  );
  const pathOf = new Map(files.map(path => [nameOf(path), path]));
  const builtIn = readFileSync(join(dir, 'modules.builtin'), 'utf8').split('\n').map(nameOf);
  const needs = needsIn(dir, files);
  const ordered = new Set<string>();
  const add = (name: string): void => {
    const path = pathOf.get(name);
    if (path === undefined || ordered.has(path)) return;
    for (const need of needs(path)) add(nameOf(need));
    ordered.add(path);
  };
  for (const name of [...wishes.map(nameOf), ...drivers]) {
    if (drivers.includes(name) && !builtIn.includes(name) && !pathOf.has(name)) {
      throw new Error(`${dir} has no ${name}`);
    }
    if (!builtIn.includes(name)) add(name);
  }
  return [...ordered].map(path => join(dir, path));
}

/**
 * What each module needs, from the module itself: `modules.dep` is made when a package is
 * installed, and is not there when it was only unpacked.
 */
function needsIn(dir: string, files: readonly string[]): (path: string) => string[] {
  const list = join(dir, 'modules.dep');
  if (existsSync(list) && readFileSync(list, 'utf8').trim() !== '') {
    const lines = readFileSync(list, 'utf8').split('\n');
    const byPath = new Map(lines.map(line => line.split(':') as [string, string]));
    return path => (byPath.get(path) ?? '').split(' ').filter(Boolean).toReversed();
  }
  const known = new Set(files.map(nameOf));
  return path => {
    const text = readFileSync(join(dir, path), 'latin1');
    const names = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? '';
    return names.split(',').filter(name => known.has(nameOf(name)));
  };
}

/** A module as the kernel takes it. */
export async function readModule(path: string): Promise<Buffer> {
  if (path.endsWith('.ko')) return readFileSync(path);
  const tools = { xz: 'xz', gz: 'gzip', zst: 'zstd' } as const;
  const tool = tools[path.slice(path.lastIndexOf('.') + 1) as keyof typeof tools];
  const limits = { maxBuffer: moduleBytesMax, timeout: decompressMs, encoding: 'buffer' } as const;
  return (await run(tool, ['-dc', path], limits)).stdout;
}
