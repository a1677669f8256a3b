/** What every `BulkTransport` must do, the simulated and the real one. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/model/limits.ts';
import type { BulkStream } from '../../src/ports/bulk.ts';
import type { TestNode, TestWorld } from './transport.ts';

const message = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill);

const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
  return 'nothing was wrong';
};

export function bulkSuite(name: string, createWorld: () => TestWorld): void {
  describe(`bulk streams: ${name}`, () => {
    let world: TestWorld;
    beforeEach(() => {
      world = createWorld();
    });
    afterEach(() => world.close());

    /** Lets the world go on until `work` is done. */
    const settled = async <T>(what: string, work: Promise<T>): Promise<T> => {
      let over = false;
      const done = (): void => {
        over = true;
      };
      work.then(done, done);
      await world.until(what, () => over);
      return work;
    };

    interface Pair {
      readonly a: TestNode;
      readonly b: TestNode;
      readonly atB: BulkStream[];
    }

    const connect = async (): Promise<Pair> => {
      const a = await world.add();
      const b = await world.add();
      const atB: BulkStream[] = [];
      for (const node of [a, b]) {
        await node.transport.start({
          onFrame: () => undefined,
          onUp: () => undefined,
          onDown: () => undefined,
        });
        await node.bulk.start(stream => atB.push(stream));
      }
      a.transport.connect(b.id, b.transport.addresses());
      b.transport.connect(a.id, a.transport.addresses());
      await world.until('connected', () => a.transport.connected(b.id));
      return { a, b, atB };
    };

    const open = async (): Promise<Pair & { near: BulkStream; far: BulkStream }> => {
      const pair = await connect();
      const near = await settled('the stream opens', pair.a.bulk.open(pair.b.id));
      await world.until('the other side has it', () => pair.atB.length === 1);
      return { ...pair, near, far: pair.atB[0]! };
    };

    test('messages of any size arrive whole and in order, both ways', async () => {
      const { a, b, near, far } = await open();
      expect([near.peer, far.peer]).toEqual([b.id, a.id]);
      const sizes = [1, 3, 70_000, limits.bulkMessageBytesMax, 5];
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        for (const [at, size] of sizes.entries()) {
          const sent = from.send(message(size, at));
          const got = await settled('a message arrives', to.next());
          expect(got?.length).toBe(size);
          expect(got?.every(byte => byte === at)).toBe(true);
          await settled('there is room', sent);
        }
      }
    });

    test('what is sent before it is asked for waits', async () => {
      const { near, far } = await open();
      for (let at = 0; at < 20; at++) await settled('sent', near.send(message(10, at)));
      for (let at = 0; at < 20; at++) {
        expect((await settled('a message', far.next()))?.[0]).toBe(at);
      }
    });

    test('a stream that is ended in order gives what was sent, then nothing', async () => {
      const { near, far } = await open();
      await settled('sent', near.send(message(8, 7)));
      near.end();
      expect((await settled('the message', far.next()))?.[0]).toBe(7);
      expect(await settled('the end', far.next())).toBeUndefined();
      expect(await codeOf(settled('a send', near.send(message(1))))).toBe('nodeUnreachable');
    });

    test('a stream that is given up breaks for both sides', async () => {
      const { near, far } = await open();
      const waiting = codeOf(far.next());
      near.abort();
      expect(await settled('the other side hears', waiting)).toBe('nodeUnreachable');
      expect(await codeOf(settled('this side', near.next()))).toBe('nodeUnreachable');
      expect(await codeOf(settled('a send', far.send(message(1))))).toBe('nodeUnreachable');
    });

    test('a receiver that does not read is not filled without end', async () => {
      const { near, far } = await open();
      for (let at = 0; at < 2 * limits.bulkMessagesMax; at++) {
        near.send(message(100)).catch(() => undefined);
      }
      let looks = 0;
      await world.until('everything has come', () => ++looks > 500);
      const reads = async (): Promise<void> => {
        for (let at = 0; at < 2 * limits.bulkMessagesMax; at++) await far.next();
      };
      expect(await settled('the stream breaks', codeOf(reads()))).toBe('nodeUnreachable');
    });

    test('a stream breaks when the other process ends', async () => {
      const { b, near } = await open();
      const waiting = codeOf(near.next());
      await b.crash();
      expect(await settled('it breaks', waiting)).toBe('nodeUnreachable');
    });

    test('no stream opens to a node that is not connected', async () => {
      const { a, b } = await connect();
      await b.crash();
      await world.until('gone', () => !a.transport.connected(b.id));
      expect(await codeOf(settled('opening', a.bulk.open(b.id)))).toBe('nodeUnreachable');
      expect(await codeOf(settled('opening', a.bulk.open('nobody')))).toBe('nodeUnreachable');
    });

    test('a message over the bound does not arrive, and breaks the stream', async () => {
      const { near, far } = await open();
      const waiting = codeOf(far.next());
      const sent = codeOf(near.send(message(limits.bulkMessageBytesMax + 1)));
      expect(await settled('it is refused', Promise.race([sent, waiting]))).toBe('nodeUnreachable');
      near.abort();
      await settled('both are over', Promise.all([sent, waiting]));
    });
  });
}
