/**
 * What every `Transport` must do, the simulated and the real one. A world makes nodes of one
 * cluster, ends them, and waits: the real one in real time, the simulated one by running its clock.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import type { BulkTransport } from '../../src/ports/bulk.ts';
import type { Gossip, Transport } from '../../src/ports/transport.ts';

export interface TestNode {
  readonly id: NodeId;
  readonly transport: Transport;
  readonly gossip: Gossip;
  readonly bulk: BulkTransport;
  /** Ends the process of this node. */
  crash(): Promise<void>;
  /** A new process of the same node at the same address; not started yet. */
  restart(): Promise<TestNode>;
}

export interface TestWorld {
  /** A new node; its transport and gossip are not started yet. */
  add(): Promise<TestNode>;
  /** Returns once `condition` holds; rejects with `what` when it takes too long. */
  until(what: string, condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

type Happening =
  | { kind: 'up'; peer: NodeId }
  | { kind: 'down'; peer: NodeId; refused: boolean }
  | { kind: 'frame'; peer: NodeId; bytes: Uint8Array };

/** Starts a transport and records what it reports; `answer` may send frames back. */
async function record(
  node: TestNode,
  answer?: (from: NodeId, frame: Uint8Array) => void,
): Promise<Happening[]> {
  const happenings: Happening[] = [];
  await node.transport.start({
    onFrame: (peer, frame) => {
      happenings.push({ kind: 'frame', peer, bytes: frame.slice() });
      answer?.(peer, frame);
    },
    onUp: peer => happenings.push({ kind: 'up', peer }),
    onDown: (peer, refused) => happenings.push({ kind: 'down', peer, refused }),
  });
  return happenings;
}

const count = (happenings: readonly Happening[], kind: Happening['kind']): number =>
  happenings.filter(one => one.kind === kind).length;

const framesOf = (happenings: readonly Happening[]): Uint8Array[] =>
  happenings.flatMap(one => (one.kind === 'frame' ? [one.bytes] : []));

function numbered(number: number, bytes = 8): Uint8Array {
  const frame = new Uint8Array(bytes);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
}

const numberOf = (frame: Uint8Array): number =>
  new DataView(frame.buffer, frame.byteOffset).getUint32(0);

export function transportSuite(name: string, createWorld: () => TestWorld): void {
  describe(`transport: ${name}`, () => {
    let world: TestWorld;
    beforeEach(() => {
      world = createWorld();
    });
    afterEach(() => world.close());

    async function pair(): Promise<{
      a: TestNode;
      b: TestNode;
      atA: Happening[];
      atB: Happening[];
    }> {
      const a = await world.add();
      const b = await world.add();
      const atA = await record(a);
      const atB = await record(b);
      a.transport.connect(b.id, b.transport.addresses());
      await world.until(
        'both ends are up',
        () => a.transport.connected(b.id) && b.transport.connected(a.id),
      );
      return { a, b, atA, atB };
    }

    test('carries frames both ways, whole and in order, also against the dial', async () => {
      const { a, b, atA, atB } = await pair();
      for (let number = 0; number < 300; number++) {
        expect(a.transport.send(b.id, numbered(number, 4 + number))).toBe(true);
        expect(b.transport.send(a.id, numbered(number, 4 + number * 40))).toBe(true);
      }
      await world.until(
        'all frames arrived',
        () => count(atA, 'frame') === 300 && count(atB, 'frame') === 300,
      );
      for (const [happenings, factor] of [
        [atA, 40],
        [atB, 1],
      ] as const) {
        framesOf(happenings).forEach((frame, number) => {
          expect(numberOf(frame)).toBe(number);
          expect(frame.length).toBe(4 + number * factor);
        });
      }
    });

    test('carries a frame of several megabytes unharmed', async () => {
      const { a, b, atB } = await pair();
      const large = new Uint8Array(5 * 1024 * 1024);
      for (let at = 0; at < large.length; at++) large[at] = (at * 31 + (at >> 8)) & 0xff;
      const copy = large.slice();
      expect(a.transport.send(b.id, large)).toBe(true);
      expect(a.transport.send(b.id, numbered(7))).toBe(true);
      await world.until('both frames arrived', () => count(atB, 'frame') === 2);
      const [first, second] = framesOf(atB);
      expect(Buffer.compare(first!, copy)).toBe(0);
      expect(numberOf(second!)).toBe(7);
    });

    test('reports a peer as up once and is connected exactly from then on', async () => {
      const { a, b, atA, atB } = await pair();
      expect(atA).toEqual([{ kind: 'up', peer: b.id }]);
      expect(atB).toEqual([{ kind: 'up', peer: a.id }]);
      expect(a.transport.connected(a.id)).toBe(false);
    });

    test('drops and counts what is sent to a peer that is not connected', async () => {
      const a = await world.add();
      const b = await world.add();
      await record(a);
      expect(a.transport.send(b.id, numbered(1))).toBe(false);
      expect(a.transport.counters()['dropped']).toBe(1);
      expect(a.transport.counters()['framesOut']).toBe(0);
    });

    test('refuses frames while the queue is full and takes them again later', async () => {
      const { a, b, atB } = await pair();
      const frameBytes = 512 * 1024;
      let taken = 0;
      while (taken < 1_000 && a.transport.send(b.id, numbered(taken, frameBytes))) taken++;
      expect(taken * frameBytes).toBeGreaterThan(limits.peerQueueBytesMax / 2);
      expect(taken * frameBytes).toBeLessThanOrEqual(limits.peerQueueBytesMax);
      expect(a.transport.counters()['dropped']).toBe(1);
      await world.until('the queue drained', () => count(atB, 'frame') === taken);
      expect(a.transport.send(b.id, numbered(taken))).toBe(true);
      await world.until('the next frame arrived', () => count(atB, 'frame') === taken + 1);
      expect(framesOf(atB).map(numberOf)).toEqual([...Array(taken + 1).keys()]);
    });

    test('refuses a frame over the bound of one frame', async () => {
      const { a, b } = await pair();
      expect(a.transport.send(b.id, new Uint8Array(limits.frameBytesMax + 1))).toBe(false);
      expect(a.transport.connected(b.id)).toBe(true);
    });

    test('reports the end of a process as refused, once, and its return as up', async () => {
      const { a, b, atA } = await pair();
      await b.crash();
      await world.until('the loss is seen', () => count(atA, 'down') === 1);
      expect(atA.at(-1)).toEqual({ kind: 'down', peer: b.id, refused: true });
      expect(a.transport.connected(b.id)).toBe(false);
      const again = await b.restart();
      const atAgain = await record(again);
      await world.until('the peer is back', () => count(atA, 'up') === 2);
      expect(count(atA, 'down')).toBe(1);
      a.transport.send(b.id, numbered(3));
      await world.until('a frame reaches the new process', () => count(atAgain, 'frame') === 1);
    });

    test('keeps dialling a peer that does not run yet', async () => {
      const a = await world.add();
      const b = await world.add();
      const probe = await record(b);
      const addresses = b.transport.addresses();
      await b.crash();
      const atA = await record(a);
      a.transport.connect(b.id, addresses);
      const later = await b.restart();
      await record(later);
      await world.until('the late peer is up', () => count(atA, 'up') === 1);
      expect(count(probe, 'up')).toBe(0);
      expect(count(atA, 'down')).toBe(0);
    });

    test('does not flap when both ends dial at once', async () => {
      const a = await world.add();
      const b = await world.add();
      const atA = await record(a, (from, frame) => {
        if (numberOf(frame) < 500) a.transport.send(from, numbered(numberOf(frame) + 1));
      });
      const atB = await record(b, (from, frame) => {
        if (numberOf(frame) < 500) b.transport.send(from, numbered(numberOf(frame) + 1));
      });
      a.transport.connect(b.id, b.transport.addresses());
      b.transport.connect(a.id, a.transport.addresses());
      await world.until(
        'both are up',
        () => a.transport.connected(b.id) && b.transport.connected(a.id),
      );
      a.transport.send(b.id, numbered(0));
      await world.until(
        'a frame has gone to and fro 500 times',
        () => count(atA, 'frame') + count(atB, 'frame') >= 501,
      );
      for (const happenings of [atA, atB]) {
        expect(count(happenings, 'up')).toBe(1);
        expect(count(happenings, 'down')).toBe(0);
      }
    });

    test('a disconnected peer is down at both ends and can be connected again', async () => {
      const { a, b, atA, atB } = await pair();
      a.transport.disconnect(b.id);
      expect(a.transport.connected(b.id)).toBe(false);
      expect(a.transport.send(b.id, numbered(1))).toBe(false);
      await world.until('both ends know', () => count(atA, 'down') + count(atB, 'down') === 2);
      expect(atA.at(-1)).toEqual({ kind: 'down', peer: b.id, refused: false });
      a.transport.connect(b.id, b.transport.addresses());
      await world.until('up again', () => count(atA, 'up') === 2 && count(atB, 'up') === 2);
    });

    test('reports nothing after it was stopped', async () => {
      const { a, b, atA, atB } = await pair();
      b.transport.send(a.id, numbered(1));
      await a.transport.stop();
      const seen = atA.length;
      await world.until('the peer noticed', () => count(atB, 'down') === 1);
      b.transport.send(a.id, numbered(2));
      expect(atA.length).toBe(seen);
      expect(a.transport.send(b.id, numbered(3))).toBe(false);
    });

    test('counts frames and bytes in both directions', async () => {
      const { a, b, atB } = await pair();
      for (let number = 0; number < 10; number++) a.transport.send(b.id, numbered(number, 100));
      await world.until('all frames arrived', () => count(atB, 'frame') === 10);
      expect(a.transport.counters()).toMatchObject({ framesOut: 10, bytesOut: 1_000, dropped: 0 });
      expect(b.transport.counters()).toMatchObject({ framesIn: 10, bytesIn: 1_000, badFrames: 0 });
    });
  });
}
