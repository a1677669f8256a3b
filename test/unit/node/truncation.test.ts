/** What a leader knows of its followers when it truncates. */
import { describe, expect, test } from 'vitest';
import { LogOutline } from '../../../src/model/log-outline.ts';
import { noConf } from '../../../src/node/descriptor.ts';
import { LogCache } from '../../../src/node/log-cache.ts';
import { pointOf } from '../../../src/node/truncation.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { Status } from '../../../src/raft/ready.ts';

const max = { entriesKept: 10, entriesSpare: 20, bytesSpare: 1e6, bytesMax: 1e7 };

/** A leader of 100 entries and one follower that has 40 of them. */
function leader(recentActive: boolean) {
  const stored = { firstIndex: 1, lastIndex: 0, truncatedTerm: 0, outline: new LogOutline() };
  const hard = { term: 1, vote: 1, commit: 0 };
  const log = new LogCache({ group: 1, store: {} as Store, hard, conf: noConf, stored });
  const data = new Uint8Array(8);
  log.append(
    Array.from({ length: 100 }, (_, at) => ({ index: at + 1, term: 1, type: 0 as const, data })),
  );
  const follower = { id: 2, match: 40, recentActive, pendingSnapshot: 0 };
  const own = { id: 1, match: 100, recentActive: true, pendingSnapshot: 0 };
  const status = () => ({ progress: [own, follower] }) as unknown as Status;
  return { core: { id: 1, role: 'leader' as const, status }, log };
}

describe('a leader that truncates', () => {
  test('takes a follower whose node is connected for alive just after a check of its quorum', () => {
    expect(pointOf(leader(false), 100, max, () => true)).toBe(40);
    expect(pointOf(leader(true), 100, max, () => false)).toBe(40);
  });

  test('does not wait for one that is gone', () => {
    expect(pointOf(leader(false), 100, max, () => false)).toBe(90);
  });

  test('looks at nothing where the log is short', () => {
    const { core, log } = leader(false);
    log.truncate(85);
    expect(pointOf({ core, log }, 100, max, () => false)).toBeUndefined();
  });
});
