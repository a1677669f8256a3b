/** What a submit is told when its shard's leader answers badly or not at all. */
import { describe, expect, test } from 'vitest';
import { TschedError } from '../../../src/model/errors.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { SubmitReply } from '../../../src/ports/node-api.ts';
import { admin, SmallWorld, someSpec } from './small-world.ts';

/** The leader's answers to forwarded submits, in turn; the last one is repeated. */
function script(node: TschedNode, answers: readonly (() => Promise<Uint8Array>)[]): () => number {
  let asked = 0;
  node.context.peers.handle('submit', () => {
    const answer = answers[Math.min(asked, answers.length - 1)]!;
    asked++;
    return answer();
  });
  return () => asked;
}

const fails = (code: TschedError['code']) => () => Promise.reject(new TschedError(code, code));

async function submitAt(
  world: SmallWorld,
  node: TschedNode,
  specs: readonly TaskSpec[],
): Promise<readonly SubmitReply[]> {
  const requests = specs.map(spec => ({ spec }));
  return world.within(node.api.submit(requests, admin), 20_000);
}

describe('a forwarded submit', () => {
  test('that was refused is told so', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    script(first!, [fails('overloaded')]);
    const [reply] = await submitAt(world, second!, [someSpec()]);
    expect(reply).toMatchObject({ ok: false, code: 'overloaded' });
  });

  test('that may have been taken before it was refused is told as unknown', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    script(first!, [fails('outcomeUnknown'), fails('overloaded')]);
    const [reply] = await submitAt(world, second!, [someSpec()]);
    expect(reply).toMatchObject({ ok: false, code: 'outcomeUnknown', id: expect.any(String) });
  });

  test('whose answer cannot be read is told as unknown', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    script(first!, [async () => Uint8Array.of(9, 9, 9)]);
    const [reply] = await submitAt(world, second!, [someSpec()]);
    expect(reply).toMatchObject({ ok: false, code: 'outcomeUnknown' });
  });

  test('of many parts gives up the rest of a shard with the part that was not answered', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    script(first!, [fails('notLeader')]);
    const beganMs = world.time.nowMs;
    const shared = someSpec();
    const specs = Array.from({ length: 2_500 }, () => shared);
    const replies = await submitAt(world, second!, specs);
    expect(replies.map(reply => (reply.ok ? 'ok' : reply.code))).toEqual(
      specs.map(() => 'noQuorum'),
    );
    expect(world.time.nowMs - beganMs).toBeLessThan(6_000);
  });
});
