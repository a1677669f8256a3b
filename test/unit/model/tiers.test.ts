import { describe, expect, test } from 'vitest';
import { tierDefaults } from '../../../src/model/resources.ts';
import { readSpecDocument, writeSpecDocument } from '../../../src/model/spec-document.ts';
import { readTierDocument } from '../../../src/model/tier-document.ts';
import {
  changeTier,
  disorderOf,
  type TierValues,
  tierBundleDefaults,
  tierBundles,
  unknownTiers,
} from '../../../src/model/tiers.ts';

const command = ['true'];

const bundlesWith = (basic: TierValues) => tierBundles(tier => (tier === 'basic' ? basic : {}));

const read = (document: object, basic: TierValues = {}) => {
  const asked = { tenant: 'default', owner: 'ann', tiers: bundlesWith(basic) };
  return readSpecDocument({ command, ...document }, asked);
};

const specOf = (document: object, basic?: TierValues) => {
  const reading = read(document, basic);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.spec;
};

describe('tiers', () => {
  test('give their defaults where nothing was set, and no ceiling', () => {
    expect(tierBundleDefaults.regular).toEqual({ amounts: tierDefaults.regular, capMsMax: 0 });
    expect(disorderOf(tierBundleDefaults)).toEqual([]);
  });

  test('give what was set, and for the rest their defaults', () => {
    const values = changeTier({ iops: 5 }, [
      { field: 'cpuMilli', value: 250 },
      { field: 'iops' },
      { field: 'capMsMax', value: 60_000 },
    ]);
    expect(values).toEqual({ cpuMilli: 250, capMsMax: 60_000 });
    expect(bundlesWith(values).basic).toEqual({
      amounts: { ...tierDefaults.basic, cpuMilli: 250 },
      capMsMax: 60_000,
    });
  });

  test('are in disorder where a higher one gives less, or caps sooner', () => {
    const order = { lower: 'basic', higher: 'regular' };
    expect(disorderOf(bundlesWith({ cpuMilli: 1_001, iops: 1 }))).toEqual([
      { field: 'cpuMilli', ...order },
      { field: 'iops', ...order },
    ]);
    const capped = tierBundles(tier => (tier === 'regular' ? { capMsMax: 5 } : {}));
    expect(disorderOf(capped)).toEqual([{ field: 'capMsMax', ...order }]);
    expect(disorderOf(bundlesWith({ capMsMax: 5 }))).toEqual([]);
  });
});

describe('a task of a tier', () => {
  test('is given its amounts where it names none, and keeps its own', () => {
    const basic = { cpuMilli: 200, ports: 1, iops: 7 };
    expect(specOf({ memory: '1GiB' }, basic).request).toEqual({
      ...tierDefaults.basic,
      ...basic,
      memoryBytes: 1024 ** 3,
    });
  });

  test('without a cap gets the ceiling, with a lower one keeps it', () => {
    expect(specOf({}, { capMsMax: 60_000 }).capMs).toBe(60_000);
    expect(specOf({ cap: '30s' }, { capMsMax: 60_000 }).capMs).toBe(30_000);
    expect(specOf({}).capMs).toBe(0);
  });

  test('with a cap above the ceiling is refused, together with all else that is wrong', () => {
    const reading = read({ cap: '2m', tier: 'basic', cpus: 1 }, { capMsMax: 60_000 });
    expect(reading).toMatchObject({
      ok: false,
      problems: [
        { pointer: '/cpus' },
        { pointer: '/cap', message: expect.stringContaining('ceiling of tier basic, 1m') },
      ],
    });
  });

  test('is written so that it reads the same whatever the tier gives by then', () => {
    const spec = specOf({}, { cpuMilli: 200 });
    const later = specOf(writeSpecDocument(spec), { cpuMilli: 900, iops: 50, ports: 3 });
    expect(later.request).toEqual(spec.request);
  });

  test('is not judged by amounts that are not known', () => {
    const asked = { tenant: 'default', owner: 'cli', tiers: unknownTiers };
    const reading = readSpecDocument({ command, limits: { memory: '1MiB' }, cap: '29d' }, asked);
    expect(reading.ok).toBe(true);
  });
});

describe('a change of a tier', () => {
  test('is read in the words of the task document', () => {
    expect(
      readTierDocument({ cpu: '0.2', memory: '1KiB', ports: 2, cap: '1h', iops: null }),
    ).toEqual({
      ok: true,
      changes: [
        { field: 'cpuMilli', value: 200 },
        { field: 'memoryBytes', value: 1_024 },
        { field: 'ports', value: 2 },
        { field: 'capMsMax', value: 3_600_000 },
        { field: 'iops' },
      ],
    });
    expect(readTierDocument({ cap: 'none' })).toEqual({
      ok: true,
      changes: [{ field: 'capMsMax', value: 0 }],
    });
  });

  test('tells every problem with its place', () => {
    const reading = readTierDocument({ cpu: 'many', ports: 5_000, mem: '1GiB', cap: '0s' });
    expect(reading).toMatchObject({
      ok: false,
      problems: [
        { pointer: '/cpu' },
        { pointer: '/ports', message: expect.stringContaining('0 to 1000') },
        { pointer: '/mem', message: expect.stringContaining('`memory`') },
        { pointer: '/cap' },
      ],
    });
    expect(readTierDocument({})).toMatchObject({ ok: false, problems: [{ pointer: '' }] });
  });
});
