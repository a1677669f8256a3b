/** Submits of a turn that share log entries: each gets its own replies. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ItemReply, ShardCommand } from '../../../src/model/command.ts';
import { TschedError } from '../../../src/model/errors.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import { itemsMax, type SubmitBatch, SubmitQueue } from '../../../src/node/submit-queue.ts';

type Submit = ShardCommand & { readonly kind: 'submit' };

const actor = (name: string) => ({ name, tenant: 'default' });

/** A batch whose items tell where they come from, each with its own spec. */
const batchOf = (name: string, count: number, specBytes = 4): SubmitBatch => ({
  specs: Array.from({ length: count }, (_, place) => ({
    digest: new Uint8Array(16),
    bytes: new TextEncoder().encode(`${name}.${place}`.padEnd(specBytes)),
  })),
  items: Array.from({ length: count }, (_, place) => ({
    id: `${name}.${place}` as TaskId,
    spec: place,
  })),
});

const specOf = (command: Submit, place: number): string =>
  new TextDecoder().decode(command.specs[command.items[place]!.spec]!.bytes).trim();

const replyTo = (command: Submit): ItemReply[] =>
  command.items.map(({ id }) => ({ ok: true, taskId: id, repeated: false }));

describe('submits that wait for the end of a turn', () => {
  test('are merged, and everybody gets the replies to its own items', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            who: fc.constantFrom('a', 'b'),
            count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(300)),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        async submits => {
          const commands: Submit[] = [];
          const queue = new SubmitQueue(async command => {
            commands.push(command as Submit);
            return replyTo(command as Submit);
          });
          const answers = submits.map(({ who, count }, place) =>
            queue.add(batchOf(`${place}`, count), actor(who)),
          );
          queue.flush(7);
          for (const [place, replies] of (await Promise.all(answers)).entries()) {
            const { count } = submits[place]!;
            expect(replies.map(reply => reply.taskId)).toEqual(
              Array.from({ length: count }, (_, item) => `${place}.${item}`),
            );
          }
          for (const command of commands) {
            expect(command.atMs).toBe(7);
            expect(command.items.length).toBeLessThanOrEqual(itemsMax);
            for (const [place, item] of command.items.entries()) {
              expect(specOf(command, place)).toBe(item.id);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of different actors never share an entry', () => {
    const actors: string[] = [];
    const queue = new SubmitQueue(async command => {
      actors.push(command.actor.name);
      return [];
    });
    const answers = ['a', 'a', 'b', 'a'].map(name => queue.add(batchOf('x', 1), actor(name)));
    queue.flush(1);
    expect(actors).toEqual(['a', 'b', 'a']);
    return Promise.all(answers);
  });

  test('of a megabyte and more do not share an entry', async () => {
    const sizes: number[] = [];
    const queue = new SubmitQueue(async command => {
      sizes.push((command as Submit).specs.length);
      return replyTo(command as Submit);
    });
    const answers = [0, 1, 2].map(() => queue.add(batchOf('x', 1, 600_000), actor('a')));
    queue.flush(1);
    await Promise.all(answers);
    expect(sizes).toEqual([1, 1, 1]);
  });

  test('all fail with the entry that they share, and with it only', async () => {
    let commands = 0;
    const queue = new SubmitQueue(async command => {
      commands++;
      if (commands === 1) throw new TschedError('notLeader', 'no');
      return replyTo(command as Submit);
    });
    const failing = [0, 1].map(() => queue.add(batchOf('x', 2), actor('a')));
    const fine = queue.add(batchOf('y', 1), actor('b'));
    queue.flush(1);
    for (const answer of failing) {
      await expect(answer).rejects.toMatchObject({ code: 'notLeader' });
    }
    expect(await fine).toHaveLength(1);
  });

  test('are told when their leader stops before their turn, or has stopped', async () => {
    const queue = new SubmitQueue(async () => []);
    const answer = queue.add(batchOf('x', 1), actor('a'));
    queue.stop(new TschedError('notLeader', 'gone'));
    queue.flush(1);
    await expect(answer).rejects.toMatchObject({ code: 'notLeader' });
    await expect(queue.add(batchOf('y', 1), actor('a'))).rejects.toMatchObject({
      code: 'notLeader',
    });
  });
});
