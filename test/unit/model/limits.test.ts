import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AssertionError, assert, unreachable } from '../../../src/model/assert.ts';
import { limits } from '../../../src/model/limits.ts';
import { programVersion } from '../../../src/model/version.ts';
import { asksMax } from '../../../src/model/worker-protocol.ts';

describe('The limits', () => {
  test('are positive integers that the formats can carry', () => {
    for (const [name, value] of Object.entries(limits)) {
      expect(Number.isSafeInteger(value) && value > 0, name).toBe(true);
    }
  });

  test('nest: what is carried fits what carries it', () => {
    const nested: [number, number][] = [
      [limits.argvBytesMax + limits.envBytesMax + limits.scriptBytesMax, limits.specBytesMax],
      [limits.specBytesMax, limits.rpcBytesMax],
      [limits.specBytesMax, limits.httpBodyBytesMax],
      [limits.rpcBytesMax, limits.frameBytesMax],
      [limits.gossipBytesMax, limits.frameBytesMax],
      [limits.outputBytesDefault, limits.outputBytesMax],
      [limits.outcomeTailBytes, limits.outputBytesDefault],
      [limits.retriedTailMax, limits.outcomeTailBytes],
      [limits.leaseMsMin, limits.leaseMsDefault],
      [limits.leaseMsDefault, limits.leaseMsMax],
      [limits.graceMsDefault, limits.graceMsMax],
      // A lease ends an attempt: it must have time left for the grace of the kill.
      [limits.graceMsDefault, limits.leaseMsMin],
      [asksMax, limits.runningMax],
      [limits.arrayMax, limits.waitingPerShardMax],
    ];
    for (const [inner, outer] of nested) expect(inner).toBeLessThanOrEqual(outer);
  });
});

describe('An assertion', () => {
  test('stops with its message, and lets what holds pass', () => {
    assert('held', 'not thrown');
    expect(() => assert(0, 'rows in order')).toThrow(new AssertionError('rows in order'));
    expect(() => unreachable('x' as never, 'kind')).toThrow('unreachable kind: x');
  });
});

describe('The version', () => {
  test('is that of package.json', () => {
    const file = new URL('../../../package.json', import.meta.url);
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
    expect(programVersion).toBe(version);
  });
});
