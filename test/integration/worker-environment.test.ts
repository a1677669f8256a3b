/** The environment of a task: exactly what was asked for, and for its own eyes only. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TreeKind } from '../../src/worker/supervisor/process-tree.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';
import { Ear, orderOf } from '../conformance/runner.ts';
import { ProcessWorld } from '../support/runner-world.ts';

/** Whether any process of this machine shows `text` among its arguments. */
const shownByAny = (text: string): boolean =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .some(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch (error) {
        if (error instanceof Error) return false;
        throw error;
      }
    });

const secret = `hunter-${process.pid}`;
const env = {
  PATH: '/usr/bin:/bin',
  TOKEN: `${secret} with spaces`,
  PWD: '/not/where/it/is',
  IFS: ',',
  'dotted.name': 'kept',
  EMPTY: '',
};

describe.each<[TreeKind, StarterKind]>([
  ['cgroup', 'perl'],
  ['cgroup', 'node'],
  ['pidNamespace', 'perl'],
  ['pidNamespace', 'node'],
  ['processGroup', 'perl'],
  ['processGroup', 'node'],
])('held by %s, started by %s', (best, starter) => {
  test('a task has exactly its environment, and no process shows it as arguments', async () => {
    const world = new ProcessWorld(best, starter);
    const runner = world.runner();
    const ear = new Ear();
    try {
      await runner.start(ear.events);
      runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
      const plain = orderOf({ kind: 'command', argv: ['/usr/bin/env'] }, { env });
      const slow = orderOf({ kind: 'command', argv: ['sleep', '0.6'] }, { env });
      runner.launch(plain);
      runner.launch(slow);
      await world.until('the start', () => ear.started.includes(slow.key));
      let shown = false;
      await world.until('the ends', () => {
        shown ||= shownByAny(secret);
        return ear.ended.has(plain.key) && ear.ended.has(slow.key);
      });
      expect(shown).toBe(false);
      const lines = ear.ended.get(plain.key)?.tail.trimEnd().split('\n').sort();
      expect(lines).toEqual(
        Object.entries(env)
          .map(([name, value]) => `${name}=${value}`)
          .sort(),
      );
    } finally {
      await runner.stop({ end: true });
      await world.close();
    }
  });
});
