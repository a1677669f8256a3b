/** Tenants, tokens and plans from the command line. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CliBench, openBench } from './run-cli.ts';

let bench: CliBench;
beforeEach(async () => {
  bench = await openBench({ shards: 4 });
});
afterEach(() => bench.close());

describe('tenant', () => {
  test('is made, listed, shown and given another plan', async () => {
    const made = await bench.run(['tenant', 'create', 'acme', '--plan', 'free']);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toBe(
      'tenant acme has the plan free\n  try: tsched token create NAME --tenant acme\n',
    );
    expect((await bench.run(['tenant', 'list'])).stdout).toMatch(/^acme +free$/m);
    const shown = await bench.run(['tenant', 'show', 'acme']);
    expect(shown.stdout).toMatch(/^waiting +3 +1000$/m);
    expect(shown.stdout).toMatch(/^cpu +1\.5 +4$/m);
    expect(shown.stdout).toMatch(/^tiers +basic$/m);
    const set = await bench.run(['tenant', 'set', 'acme', '--plan', 'premium', '--json']);
    expect(JSON.parse(set.stdout)).toMatchObject({ name: 'acme', plan: 'premium' });
  });

  test('that is taken, or of no such plan, is refused with what to do', async () => {
    const taken = await bench.run(['tenant', 'create', 'other']);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain('tsched tenant set');
    const planless = await bench.run(['tenant', 'create', 'acme', '--plan', 'gold']);
    expect(planless.stderr).toContain('there is no plan gold');
    expect(planless.stderr).toContain('tsched quota show');
  });
});

describe('token', () => {
  test('is shown once, listed without itself, and revoked', async () => {
    const made = await bench.run(['token', 'create', 'ci', '--tenant', 'other', '--expires', '1d']);
    expect(made.stdout).toContain('tsched_secret\n  submitter of tenant other, id id1');
    expect(made.stdout).toContain('it is not shown again');
    const list = await bench.run(['token', 'list']);
    expect(list.stdout).toMatch(/^id1 +other +submitter .*ci$/m);
    expect(list.stdout).not.toContain('tsched_secret');
    const revoked = await bench.run(['token', 'revoke', 'ci']);
    expect(revoked.stdout).toBe('token ci (id1) of tenant other is revoked\n');
    expect((await bench.run(['token', 'revoke', 'ci'])).code).toBe(1);
  });

  test('with -q is all that is printed, and bad input is refused', async () => {
    expect((await bench.run(['token', 'create', 'ci', '-q'])).stdout).toBe('tsched_secret\n');
    expect((await bench.run(['token', 'create', 'ci', '--role', 'king'])).code).toBe(2);
    expect((await bench.run(['token', 'create', 'ci', '--expires', 'soon'])).code).toBe(2);
  });
});

describe('quota', () => {
  test('shows plans side by side, and one alone', async () => {
    const all = await bench.run(['quota', 'show']);
    expect(all.stdout).toMatch(/^LIMIT +free +standard +premium +unlimited$/m);
    expect(all.stdout).toMatch(/^submitsPerSecond +5 +50 +500 +none$/m);
    expect((await bench.run(['quota', 'show', 'free'])).stdout).toMatch(/^LIMIT +free$/m);
    expect((await bench.run(['quota', 'show', 'gold'])).code).toBe(1);
  });

  test('is set, made and reset', async () => {
    const set = await bench.run(['quota', 'set', 'own', 'submitsPerSecond=2', 'memory=16GiB']);
    expect(set.stdout).toMatch(/^memory +16GiB$/m);
    const reset = await bench.run(['quota', 'set', 'own', '--reset']);
    expect(reset.stdout).not.toContain('own');
  });

  test('suggests what a misspelt limit was meant to be', async () => {
    const misspelt = await bench.run(['quota', 'set', 'free', 'submitPerSecond=2']);
    expect(misspelt.code).toBe(2);
    expect(misspelt.stderr).toContain('submitsPerSecond=');
    expect((await bench.run(['quota', 'set', 'free'])).code).toBe(2);
  });
});
