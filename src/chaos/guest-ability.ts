/**
 * Whether a guest can be had on this machine, found out by booting a small one: with the help of
 * the processor where that works, and by emulation where it does not, as in most guests and
 * containers.
 */
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deathGuard } from './death-guard.ts';
import { type Accelerator, Guest } from './guest.ts';
import { buildProbeImage, findTools, type GuestTools } from './guest-image.ts';

const probeMemoryMiB = 256;
const limitsMs: Readonly<Record<Accelerator, number>> = { kvm: 20_000, tcg: 120_000 };

export interface GuestMachine {
  readonly tools: GuestTools;
  readonly accelerator: Accelerator;
}

let found: Promise<GuestMachine | string> | undefined;

/** How a guest is had here, or why not; looked for once. */
export const findGuest = (): Promise<GuestMachine | string> => (found ??= probe());

export async function guestMissing(): Promise<string | undefined> {
  const guest = await findGuest();
  return typeof guest === 'string' ? guest : undefined;
}

async function probe(): Promise<GuestMachine | string> {
  const tools = findTools();
  if (typeof tools === 'string') return tools;
  const dir = await mkdtemp(join(tmpdir(), 'tsched-chaos-guest-'));
  try {
    const image = join(dir, 'image');
    await buildProbeImage(tools, image);
    let why = '';
    for (const accelerator of accelerators()) {
      try {
        await bootOnce(tools, accelerator, dir, image);
        return { tools, accelerator };
      } catch (error) {
        why = (error as Error).message;
      }
    }
    return `a guest of QEMU with the kernel ${tools.kernel.version} does not boot: ${why}`;
  } catch (error) {
    return `the image of a guest cannot be made: ${(error as Error).message}`;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function accelerators(): Accelerator[] {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return ['kvm', 'tcg'];
  } catch {
    // Not there, or not for this user.
    return ['tcg'];
  }
}

async function bootOnce(
  tools: GuestTools,
  accelerator: Accelerator,
  dir: string,
  image: string,
): Promise<void> {
  const guest = new Guest({
    ...{ qemu: tools.qemu, accelerator, kernel: tools.kernel.image, image },
    ...{ memoryMiB: probeMemoryMiB, consoleFile: join(dir, `${accelerator}.log`) },
    ...{ disks: [], forwards: [], prefix: await deathGuard() },
    onLine: () => undefined,
    onEnd: () => undefined,
  });
  try {
    await guest.boot(undefined, limitsMs[accelerator]);
  } finally {
    await guest.cutPower();
  }
}
