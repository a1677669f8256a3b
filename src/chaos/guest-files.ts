/**
 * What a guest is made of: programs of this machine with their libraries, each in its own place,
 * and the program itself with the packages that it needs. Nothing is fetched and nothing built.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ArchiveEntry } from './guest-archive.ts';

const run = promisify(execFile);
const stepMs = 10_000;

/** Programs that a node, its supervisor and the tasks of a run start; `sh` is the system's. */
const programs = ['sh', 'env', 'cat', 'sleep', 'rm', 'tr', 'kill', 'unshare', 'setpriv', 'perl'];
const searched = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** Perl's modules are found by Perl: those that the starter of attempts uses. */
const perlFiles =
  'use POSIX (); use Fcntl (); print "$_\\n" for values %INC, @DynaLoader::dl_shared_objects';

/** Nothing of a package that Node would read. */
const unread = /\.(map|md|d\.ts|d\.mts|d\.cts|c|cc|cpp|h|gypi?)$/;

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The path of a program of this machine. */
export const findProgram = (name: string): string | undefined =>
  searched.map(dir => join(dir, name)).find(path => existsSync(path));

export class GuestFiles {
  readonly entries = new Map<string, ArchiveEntry>();
  readonly #libraries = new Map<string, Promise<void>>();

  constructor() {
    // Where these are links, as on most machines, everything else is below what they lead to.
    for (const dir of ['/bin', '/sbin', '/lib', '/lib64']) {
      if (!existsSync(dir) || !lstatSync(dir).isSymbolicLink()) continue;
      this.entries.set(dir, { kind: 'link', to: readlinkSync(dir) });
    }
  }

  addText(path: string, text: string, mode = 0o644): void {
    this.addBytes(path, Buffer.from(text), mode);
  }

  addBytes(path: string, bytes: Buffer, mode = 0o644): void {
    this.entries.set(path, { kind: 'bytes', bytes, mode });
  }

  addDirectory(path: string): void {
    this.entries.set(path, { kind: 'directory' });
  }

  addLink(path: string, to: string): void {
    this.entries.set(path, { kind: 'link', to });
  }

  /** A file in its own place; where that is a link, what it leads to as well. */
  addFile(path: string): void {
    const place = join(realpathSync(dirname(path)), basename(path));
    if (this.entries.has(place)) return;
    const seen = lstatSync(place);
    if (seen.isSymbolicLink()) {
      const to = readlinkSync(place);
      this.addLink(place, to);
      this.addFile(resolve(dirname(place), to));
    } else if (seen.isFile()) {
      const mode = (seen.mode & 0o111) === 0 ? 0o644 : 0o755;
      this.entries.set(place, { kind: 'file', path: place, mode });
    }
  }

  /** A program or a library, with all libraries that it is linked against. */
  async addProgram(path: string): Promise<void> {
    this.addFile(path);
    const key = realpathSync(path);
    const known = this.#libraries.get(key);
    if (known !== undefined) return known;
    const added = this.#addLibraries(key);
    this.#libraries.set(key, added);
    return added;
  }

  async #addLibraries(path: string): Promise<void> {
    // One that is linked against nothing makes `ldd` fail, and needs nothing.
    const said = await run('ldd', [path], { timeout: stepMs }).catch(() => ({ stdout: '' }));
    for (const [, library] of said.stdout.matchAll(/(?:=>\s*|^\s*)(\/\S+)/gm)) {
      this.addFile(library!);
    }
  }

  /** What is started inside beside Node. */
  async addSystem(): Promise<void> {
    for (const name of programs) {
      const path = findProgram(name);
      if (path !== undefined) await this.addProgram(path);
    }
    const perl = findProgram('perl');
    if (perl === undefined) return;
    const { stdout } = await run(perl, ['-e', perlFiles], { timeout: stepMs });
    for (const file of stdout.split('\n').filter(Boolean)) {
      await (file.endsWith('.so') ? this.addProgram(file) : this.addFile(file));
    }
  }

  /** The program as this process was started from it; how it is started inside. */
  async addTsched([command = '', ...args]: readonly string[]): Promise<string[]> {
    const node = realpathSync(command);
    await this.addProgram(node);
    const entry = realpathSync(args.at(-1)!);
    // Source and build have the same two folders, side by side.
    const code = dirname(dirname(entry));
    for (const folder of ['cli', 'src']) await this.#addTree(join(code, folder));
    let root = code;
    while (!existsSync(join(root, 'package.json'))) root = dirname(root);
    this.addFile(join(root, 'package.json'));
    await this.#addPackagesOf(root, new Set());
    return [node, ...args.slice(0, -1), entry];
  }

  /** Everything that a package needs, as Node would find it. */
  async #addPackagesOf(dir: string, known: Set<string>): Promise<void> {
    const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest;
    const { dependencies = {}, optionalDependencies = {} } = manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = findPackage(dir, name);
      if (found === undefined || known.has(found)) continue;
      known.add(found);
      const real = realpathSync(found);
      if (real !== found) this.addLink(found, real);
      await this.#addTree(real);
      await this.#addPackagesOf(real, known);
    }
  }

  async #addTree(dir: string): Promise<void> {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      // Packages inside of packages are added by who needs them.
      if (entry.name === 'node_modules' || unread.test(entry.name)) continue;
      if (entry.isDirectory() && isForeign(dir, entry.name)) continue;
      if (entry.isDirectory()) await this.#addTree(path);
      else if (entry.name.endsWith('.node')) await this.addProgram(path);
      else this.addFile(path);
    }
  }
}

/** Prebuilt for another kind of machine. */
const isForeign = (dir: string, name: string): boolean =>
  basename(dir) === 'prebuilds' && name !== `${process.platform}-${process.arch}`;

function findPackage(from: string, name: string): string | undefined {
  for (let dir = from; ; dir = dirname(dir)) {
    const path = join(dir, 'node_modules', name);
    if (existsSync(join(path, 'package.json'))) return path;
    if (dir === dirname(dir)) return undefined;
  }
}
