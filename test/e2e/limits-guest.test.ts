/**
 * Limits kept by cgroup2 with its controllers, which not every machine has for us: in a guest of
 * QEMU, with a kernel of its own, by the real supervisor and real processes. The kernel's rules of
 * delegation are met as service managers meet them: a user in a subgroup of a unit that was given,
 * in the unit itself, and in one of somebody else. For `npm run e2e` alone: an emulated guest takes
 * a quarter of an hour.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findGuest, guestMissing } from '../../src/chaos/guest-ability.ts';
import type { Outcome } from '../../src/model/attempt.ts';
import { limits } from '../../src/model/limits.ts';
import { LimitsGuest, places, type Told } from '../support/limits-guest.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const missing = full ? await guestMissing() : undefined;
if (missing !== undefined) {
  console.warn(`\nSKIPPED: limits by cgroup2 are not tested in a guest, because ${missing}\n`);
}

const bootMs = 300_000;
const nodeMs = 960_000;
const mib = 1024 * 1024;
const over = 'used more than its memory limit of 96MiB; --memory asks for more';
const byKernel = 'by the kernel, control groups version 2';
const kernel = { 'memory-limit': 'kernel', 'cpu-limit': 'kernel' };
const watched = 'looked at ten times a second, and ended when it is seen to be over';
const none = { 'memory-limit': 'watched', 'cpu-limit': 'none' };

interface Hello {
  readonly words: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** The control group of the node's process, as the kernel has it. */
  readonly self: string;
  readonly uid: number;
}

interface MemoryTold {
  readonly hogged: Outcome;
  /** An attempt of which only a part is over. */
  readonly part: Outcome;
  readonly wrote: string;
  /** The neighbour lived when both were over. */
  readonly outlived: boolean;
  readonly other: Outcome;
  readonly after: readonly Outcome[];
}

type Looks = ReadonlyMap<string, Told>;

/** What a look told; a run that ended well has told of each. */
function toldOf<T>(looks: Looks, look: string): T {
  const told = looks.get(look);
  if (told === undefined) throw new Error(`nothing was told of ${look}`);
  return told as T;
}

function expectMemoryKept(looks: Looks): void {
  const told = toldOf<MemoryTold>(looks, 'memory');
  for (const outcome of [told.hogged, told.part]) {
    expect([outcome.kind, outcome.message]).toEqual(['outOfMemory', over]);
    expect(outcome.peakMemoryBytes).toBeGreaterThan(88 * mib);
  }
  expect([told.wrote, told.outlived]).toEqual(['', true]);
  expect(told.other).toMatchObject({ kind: 'failed', exitCode: 5, message: '' });
  expect(told.after.map(outcome => outcome.kind)).toEqual(['succeeded', 'succeeded']);
}

/** CPUs that it had, on average over its whole life. */
const cpusOf = (outcome: Outcome): number =>
  (outcome.userCpuMs + outcome.systemCpuMs) / (outcome.endedAtMs - outcome.startedAtMs);

/** All that a supervisor had which was killed is gone, and the next one keeps limits as it did. */
function expectTakenOver(looks: Looks): void {
  const told = toldOf<{
    readonly before: readonly string[];
    readonly now: readonly string[];
    readonly inside: readonly string[];
    readonly lost: string;
    readonly after: Outcome;
    readonly words: Readonly<Record<string, string>>;
  }>(looks, 'killed');
  expect(told.before).toHaveLength(1);
  expect([told.now, told.inside]).toEqual([told.before, []]);
  expect(told.lost).toBe('lost');
  expect(told.after).toMatchObject({ kind: 'failed', exitCode: 6 });
  expect(told.words).toMatchObject({ memoryLimit: byKernel, cpuLimit: byKernel });
}

const bounded = {
  ...{ 'memory.max': `${64 * mib}`, 'memory.swap.max': '0', 'memory.oom.group': '1' },
  ...{ 'cpu.max': '50000 100000', 'cpu.weight': '25' },
  ...{ 'pids.max': `${limits.attemptProcessesMax}`, oom_score_adj: '500' },
};

describe.skipIf(!full || missing !== undefined)('limits by cgroup2, in a guest', () => {
  let guest: LimitsGuest;

  beforeAll(async () => {
    const machine = await findGuest();
    if (typeof machine === 'string') throw new Error(machine);
    guest = await LimitsGuest.boot(machine, {
      root: ['processes', 'groups', 'memory', 'cpu', 'shares', 'suspend', 'killed'],
      subgroup: ['groups', 'memory', 'killed'],
      unit: [],
      stranger: ['memory'],
      rootUnit: [],
    });
  }, bootMs);

  afterAll(async () => {
    await guest?.end();
  });

  describe('delegated or not', () => {
    /** By name of the place. They start together, as that is what takes the time. */
    let told: Readonly<Record<'subgroup' | 'unit' | 'stranger' | 'rootUnit', Looks>>;

    beforeAll(async () => {
      const { subgroup, unit, stranger, rootUnit } = places;
      const all = [subgroup, unit, stranger, rootUnit].map(place => guest.run(place));
      const [one, two, three, four] = await Promise.all(all);
      told = { subgroup: one!, unit: two!, stranger: three!, rootUnit: four! };
    }, nodeMs);

    test('a user in a subgroup of a unit that was delegated has all of it', () => {
      const looks = told.subgroup;
      const { words, labels, self, uid } = toldOf<Hello>(looks, 'hello');
      expect([self, uid, labels]).toEqual(['0::/tsched-2.service/node', 1_000, kernel]);
      expect(words['cgroup']).toMatch(/^\/sys\/fs\/cgroup\/tsched-2\.service\/tsched-[0-9a-f]+$/);
      expect(toldOf(looks, 'groups')).toMatchObject(bounded);
      expectMemoryKept(looks);
      expectTakenOver(looks);
      expect(toldOf(looks, 'left')).toMatchObject({ groups: [] });
    });

    test.each(['unit', 'rootUnit'] as const)(
      'a node in the unit itself, whose processes keep it from handing on, says so: %s',
      name => {
        const { words, labels, self } = toldOf<Hello>(told[name], 'hello');
        const { group } = places[name];
        expect([self, labels]).toEqual([`0::/${group}`, none]);
        // What needs no controller is had there, too.
        expect(words['isolation']).toBe('control group per attempt');
        const why =
          `controller is on in /sys/fs/cgroup/${group}, but a group with processes cannot hand ` +
          'it on; let the node start in a group below it (systemd: DelegateSubgroup=)';
        expect(words['cpuLimit']).toBe(`not enforced: the cpu ${why}`);
        expect(words['processLimit']).toBe(`not enforced: the pids ${why}`);
        expect(words['memoryLimit']).toBe(`${watched}: the memory ${why}`);
        expect(toldOf(told[name], 'left')).toMatchObject({ groups: [] });
      },
    );

    test('a user without rights keeps memory by looking, and says why', () => {
      const looks = told.stranger;
      const { words, labels, uid } = toldOf<Hello>(looks, 'hello');
      expect([uid, labels]).toEqual([1_000, none]);
      expect(words['isolation']).toBe('PID namespace per attempt');
      const why =
        'controller is on in /sys/fs/cgroup/tsched-4.service, but that group is not this ' +
        "user's; let it be delegated (systemd: Delegate=)";
      expect(words['memoryLimit']).toBe(`${watched}: the memory ${why}`);
      expect(words['cpuLimit']).toBe(`not enforced: the cpu ${why}`);
      expectMemoryKept(looks);
      expect(toldOf(looks, 'left')).toMatchObject({ groups: [] });
    });
  });

  describe('as root in the group of all', () => {
    let looks: Looks;

    beforeAll(async () => {
      looks = await guest.run(places.root);
    }, nodeMs);

    test('the kernel keeps them, and the node says so', () => {
      const { words, labels, self } = toldOf<Hello>(looks, 'hello');
      expect(self).toBe('0::/');
      expect(labels).toEqual(kernel);
      expect(words).toMatchObject({
        isolation: 'control group per attempt',
        ...{ memoryLimit: byKernel, cpuLimit: byKernel },
        processLimit: `${limits.attemptProcessesMax} processes and threads, ${byKernel}`,
        ...{ cpuTime: 'exact, whole tree', peakMemory: 'exact, whole tree' },
      });
    });

    test('the group of an attempt has the bounds of its order', () => {
      expect(toldOf(looks, 'groups')).toMatchObject(bounded);
    });

    test('who is over its memory is ended whole, with the reason, and nobody else', () => {
      expectMemoryKept(looks);
      const { hogged, part } = toldOf<MemoryTold>(looks, 'memory');
      // Exactly: not a page above it was had.
      for (const outcome of [hogged, part]) expect(outcome.peakMemoryBytes).toBe(96 * mib);
    });

    test('half a CPU is half a CPU, and a tenth a tenth, for all processes together', () => {
      const { half, tenth, free } = toldOf<Record<string, Outcome>>(looks, 'cpu');
      // A quarter more is what a few periods of 100 ms at the edges can be.
      expect(cpusOf(half!)).toBeLessThan(0.625);
      expect(cpusOf(half!)).toBeGreaterThan(0.25);
      expect(cpusOf(tenth!)).toBeLessThan(0.125);
      expect(cpusOf(tenth!)).toBeGreaterThan(0.02);
      // That two which never rest would have had more.
      expect(cpusOf(free!)).toBeGreaterThan(cpusOf(half!) * 1.5);
    });

    test('where CPUs are short, who holds four times as much has more', () => {
      const { small, large } = toldOf<Record<string, Outcome>>(looks, 'shares');
      // Four times, on a machine that is not shared; as much, without weights.
      expect(cpusOf(large!) / cpusOf(small!)).toBeGreaterThan(1.6);
    });

    test('what is suspended stands still, goes on, and has its grace when it is ended', () => {
      const told = toldOf<{ stood: number[]; still: number[]; outcome: Outcome; wrote: string }>(
        looks,
        'suspend',
      );
      expect(told.still).toEqual(told.stood);
      expect(Math.min(...told.stood)).toBeGreaterThan(0);
      expect([told.outcome.kind, told.outcome.exitCode]).toEqual(['cancelled', 9]);
      expect(told.wrote).toBe('bye\n');
    });

    test('a fork bomb is stopped at its bound, and others are started beside it', () => {
      const told = toldOf<{
        readonly refused: number;
        readonly current: number;
        readonly most: number;
        readonly alive: boolean;
        readonly meanwhile: Outcome;
        readonly bomb: Outcome;
      }>(looks, 'processes');
      expect(told.refused).toBeGreaterThan(0);
      expect([told.current, told.most]).toEqual([
        limits.attemptProcessesMax,
        limits.attemptProcessesMax,
      ]);
      expect([told.alive, told.meanwhile.exitCode, told.bomb.kind]).toEqual([true, 4, 'cancelled']);
    });

    test('a supervisor that is killed leaves nothing to the next one, nor the last one', () => {
      expectTakenOver(looks);
      expect(toldOf(looks, 'left')).toMatchObject({ groups: [] });
    });
  });
});
