/** What a submit is told when its shard's leader answers badly or not at all. */
import { describe, expect, test } from 'vitest';
import { TschedError } from '../../../src/model/errors.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import { encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import { encodeSubmit } from '../../../src/node/forwarded.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { SubmitReply } from '../../../src/ports/submit-reply.ts';
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

  test('with a specification that the leader cannot read does not get into the log', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(2);
    const items = [{ id: '06dqdpnv5zsh86cg7njn' as TaskId, spec: 0 }];
    const digest = new Uint8Array(16);
    for (const bytes of [Uint8Array.of(9, 9), encodeSpec(someSpec())]) {
      const payload = encodeSubmit(1, { specs: [{ digest, bytes }], items }, admin);
      const asked = second!.context.peers.request('n1', 'submit', payload, 1_000);
      await expect(world.within(asked)).rejects.toMatchObject({ code: 'badSpec' });
    }
    await world.pass(500);
    expect(world.fatals).toEqual([]);
    expect(first!.ready).toBe(true);
  });
});
