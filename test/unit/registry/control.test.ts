/** Pauses of tenants and templates in the registry. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { encodeRegistryCommand, type RegistryCommand } from '../../../src/registry/command.ts';
import { RegistryMachine } from '../../../src/registry/machine.ts';
import { suspendsTenant } from '../../../src/registry/pauses.ts';
import type { RegistryReply } from '../../../src/registry/state.ts';
import { adminToken, registration } from './builders.ts';

const stamp = { atMs: 1_000_000, actor: { name: 'ada', tenant: 'default' } };

type Body = RegistryCommand extends infer C
  ? C extends RegistryCommand
    ? Omit<C, 'atMs' | 'actor'>
    : never
  : never;

class Registry {
  machine = new RegistryMachine();
  readonly #rows = new Map<string, Uint8Array>();

  constructor() {
    this.say({
      kind: 'bootstrap',
      clusterId: 'c1',
      name: 'test',
      shards: 4,
      replication: 3,
      formatVersion: 1,
      node: registration('a'),
      tokens: [adminToken],
    });
  }

  say(body: Body): RegistryReply {
    const bytes = encodeRegistryCommand({ ...stamp, ...body } as RegistryCommand);
    const { replies } = this.machine.apply(this.machine.applied + 1, bytes);
    this.machine.checkInvariants();
    return replies[0]!;
  }

  /** The same from its rows. */
  restart(): void {
    const flush = this.machine.takeFlush(1_000)!;
    for (const [key, value] of flush.rows) {
      const name = Buffer.from(key).toString('hex');
      if (value === undefined) this.#rows.delete(name);
      else this.#rows.set(name, value);
    }
    const other = new RegistryMachine();
    const rows = [...this.#rows].sort(([left], [right]) => (left < right ? -1 : 1));
    other.loadRows(rows.map(([key, value]) => [new Uint8Array(Buffer.from(key, 'hex')), value]));
    other.loaded(flush.applied);
    other.checkInvariants();
    this.machine = other;
  }

  put(document: string, expected?: number, name = 'nightly'): RegistryReply {
    const template = { tenant: 'default', name, description: '', document };
    return this.say({ kind: 'putTemplate', template, expected });
  }

  drop(revision?: number): RegistryReply {
    return this.say({ kind: 'dropTemplate', tenant: 'default', name: 'nightly', revision });
  }

  get revisions(): readonly (readonly [number, string])[] {
    return this.machine
      .templates()
      .revisions('default', 'nightly')
      .map(({ revision, document }) => [revision, document]);
  }
}

describe('a pause of placement', () => {
  const pause = (registry: Registry, scope: string, on: boolean, suspend = false) =>
    registry.say({ kind: 'pausePlacement', scope, on, suspend, reason: 'why' });

  test('holds for a tenant or for all, is told by whom, and survives a restart', () => {
    const registry = new Registry();
    registry.say({ kind: 'putTenant', name: 'search', plan: 'free', isNew: true });
    expect(pause(registry, 'search', true)).toMatchObject({ ok: true, repeated: false });
    expect(pause(registry, 'search', true)).toMatchObject({ ok: true, repeated: true });
    pause(registry, '*', true, true);
    registry.restart();
    const pauses = registry.machine.pauses();
    expect(pauses.get('search')).toEqual({
      by: 'ada',
      atMs: 1_000_000,
      reason: 'why',
      suspend: false,
    });
    expect(suspendsTenant(pauses, 'search')).toBe(true);
    pause(registry, '*', false);
    expect(suspendsTenant(registry.machine.pauses(), 'search')).toBe(false);
    expect(pause(registry, '*', false)).toMatchObject({ ok: true, repeated: true });
    registry.restart();
    expect([...registry.machine.pauses().keys()]).toEqual(['search']);
  });

  test('is refused for what is no tenant', () => {
    expect(pause(new Registry(), 'a b', true)).toMatchObject({ ok: false, code: 'badRequest' });
    expect(pause(new Registry(), 'nobody', true)).toMatchObject({ code: 'unknownTenant' });
    // What was paused once can be taken back, whatever became of it.
    expect(pause(new Registry(), 'nobody', false)).toMatchObject({ ok: true, repeated: true });
  });
});

describe('a template', () => {
  test('grows by revisions that stay, and takes what says the same for a repeat', () => {
    const registry = new Registry();
    expect(registry.put('1', 0)).toEqual({ ok: true, repeated: false, revision: 1 });
    expect(registry.put('1', 0)).toEqual({ ok: true, repeated: true, revision: 1 });
    expect(registry.put('2')).toEqual({ ok: true, repeated: false, revision: 2 });
    registry.restart();
    expect(registry.revisions).toEqual([
      [1, '1'],
      [2, '2'],
    ]);
  });

  test('is changed only by who has seen its newest revision, where that is said', () => {
    const registry = new Registry();
    expect(registry.put('1', 3)).toMatchObject({ ok: false, code: 'unknownTemplate' });
    const template = { tenant: 'nobody', name: 'nightly', description: '', document: '1' };
    const reply = registry.say({ kind: 'putTemplate', template, expected: 0 });
    expect(reply).toMatchObject({ ok: false, code: 'unknownTenant' });
    registry.put('1', 0);
    registry.put('2', 1);
    expect(registry.put('other', 1)).toMatchObject({ ok: false, code: 'templateChanged' });
    expect(registry.put('other', 0)).toMatchObject({ ok: false, code: 'templateTaken' });
    expect(registry.put('3', 2)).toMatchObject({ ok: true, revision: 3 });
  });

  test('goes whole or by a revision, and its numbers are not given again', () => {
    const registry = new Registry();
    for (const text of ['1', '2', '3']) registry.put(text);
    expect(registry.drop(3)).toMatchObject({ ok: false, code: 'badRequest' });
    expect(registry.drop(2)).toMatchObject({ ok: true, repeated: false });
    expect(registry.drop(2)).toMatchObject({ ok: true, repeated: true });
    expect(registry.revisions.map(([revision]) => revision)).toEqual([1, 3]);
    registry.drop();
    registry.restart();
    expect(registry.revisions).toEqual([]);
    expect(registry.put('again', 0)).toMatchObject({ ok: true, revision: 4 });
    registry.restart();
    expect(registry.revisions).toEqual([[4, 'again']]);
  });

  test('has bounds: its size, its revisions, all of them together', () => {
    const registry = new Registry();
    const tooLong = 'x'.repeat(limits.templateBytesMax + 1);
    expect(registry.put(tooLong)).toMatchObject({ ok: false, code: 'badRequest' });
    for (let n = 0; n < limits.templateRevisionsMax; n++) registry.put(`${n}`);
    expect(registry.put('one more')).toMatchObject({
      ok: false,
      message: expect.stringContaining('delete one'),
    });
    const large = 'x'.repeat(limits.templateBytesMax);
    const many = limits.templatesBytesMax / limits.templateBytesMax;
    for (let n = 0; n < many - 1; n++) registry.put(large, 0, `t${n}`);
    expect(registry.put(large, 0, 'last')).toMatchObject({
      ok: false,
      message: expect.stringContaining('all templates together'),
    });
  });
});
