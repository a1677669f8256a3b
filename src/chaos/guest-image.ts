/**
 * The image of a guest: one archive that its kernel unpacks into memory, so that nothing but its
 * disks outlasts a boot; and the disks, made with their first content.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { taskProgram } from './attempt-log.ts';
import { writeArchive } from './guest-archive.ts';
import { findProgram, GuestFiles } from './guest-files.ts';
import { findKernel, type GuestKernel, readModule } from './guest-kernel.ts';
import { agentScript, guestPaths, initScript, probeScript } from './guest-script.ts';

const run = promisify(execFile);
const stepMs = 60_000;

export interface GuestTools {
  readonly qemu: string;
  readonly busybox: string;
  readonly mkfs: string;
  readonly kernel: GuestKernel;
}

/** As Debian calls them. */
const packagesToInstall =
  'on Debian: apt install qemu-system-x86 busybox-static e2fsprogs linux-image-cloud-amd64, or ' +
  'unpack that kernel (apt-get download, dpkg -x) into a folder that TSCHED_CHAOS_KERNEL names';

/** What of this machine a guest is made with; else what is missing, and what to install. */
export function findTools(): GuestTools | string {
  const missing = (what: string): string => `${what}; ${packagesToInstall}`;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return 'a guest is made of programs of this machine, which must be Linux on x86-64';
  }
  const qemu = findProgram('qemu-system-x86_64');
  if (qemu === undefined) return missing('a power cut needs qemu-system-x86_64');
  const busybox = findProgram('busybox');
  if (busybox === undefined) return missing('the guest needs busybox');
  const mkfs = findProgram('mkfs.ext4');
  if (mkfs === undefined) return missing('the disks of the guest are made by mkfs.ext4');
  const kernel = findKernel();
  if (typeof kernel === 'string') return missing(`the guest needs a kernel: ${kernel}`);
  return { qemu, busybox, mkfs, kernel };
}

/** What every guest has: busybox, which must do without libraries or bring them, and modules. */
async function baseFiles({ busybox, kernel }: GuestTools): Promise<GuestFiles> {
  const files = new GuestFiles();
  for (const dir of ['/proc', '/sys', '/dev', '/run', '/tmp', '/data', '/truth']) {
    files.addDirectory(dir);
  }
  await files.addProgram(busybox);
  files.addLink(guestPaths.busybox, busybox);
  const { stdout } = await run(busybox, ['--list'], { timeout: stepMs });
  for (const applet of stdout.split('\n').filter(Boolean)) {
    files.addLink(`${guestPaths.applets}/${applet}`, guestPaths.busybox);
  }
  for (const [place, path] of kernel.modules.entries()) {
    const name = `${String(place).padStart(2, '0')}-${basename(path).replace(/\.ko.*$/, '.ko')}`;
    files.addBytes(`${guestPaths.modules}/${name}`, await readModule(path));
  }
  return files;
}

/** A guest that boots, says so and switches itself off. */
export async function buildProbeImage(tools: GuestTools, file: string): Promise<void> {
  const files = await baseFiles(tools);
  files.addText(guestPaths.init, probeScript, 0o755);
  writeArchive(file, files.entries);
}

export interface GuestNodes {
  readonly program: readonly string[];
  /** The shell script that starts a node, by the program as it stands in the guest. */
  readonly script: (command: readonly string[]) => string;
  /** What else of this machine is needed, each in its own place. */
  readonly files?: readonly string[];
}

/** A guest that runs nodes when its agent is told to. */
export async function buildNodeImage(
  tools: GuestTools,
  file: string,
  nodes: GuestNodes,
): Promise<void> {
  const files = await baseFiles(tools);
  await files.addSystem();
  const command = await files.addTsched(nodes.program);
  for (const path of nodes.files ?? []) files.addFile(path);
  files.addText(guestPaths.init, initScript, 0o755);
  files.addText(guestPaths.agent, agentScript);
  files.addText(guestPaths.task, taskProgram, 0o755);
  files.addText(guestPaths.node, nodes.script(command));
  files.addText('/etc/passwd', 'root:x:0:0:root:/:/bin/sh\n');
  files.addText('/etc/hosts', '127.0.0.1 localhost guest\n');
  writeArchive(file, files.entries);
}

/** A disk with a file system that holds what is in a directory; it takes no room until used. */
export async function makeDisk(
  { mkfs }: GuestTools,
  file: string,
  content: { readonly from: string; readonly bytes: number },
): Promise<void> {
  await writeFile(file, '', { mode: 0o600 });
  await truncate(file, content.bytes);
  const features = ['-q', '-F', '-m', '0', '-E', 'root_owner=0:0,lazy_itable_init=0'];
  await run(mkfs, [...features, '-d', content.from, file], { timeout: stepMs });
}

/** A directory for `makeDisk`, with one empty file. */
export async function stageTruth(dir: string): Promise<void> {
  await mkdir(dir);
  await chmod(dir, 0o755);
  await writeFile(join(dir, basename(guestPaths.log)), '', { mode: 0o666 });
}
