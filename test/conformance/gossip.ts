/**
 * What every `Gossip` must do, the simulated and the real one. Meshes of two, three and five are
 * tested each: gossip is most fragile where there are few nodes.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import type { TestNode, TestWorld } from './transport.ts';

interface Heard {
  readonly node: TestNode;
  readonly messages: { author: NodeId; text: string }[];
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

export function gossipSuite(name: string, createWorld: () => TestWorld): void {
  describe(`gossip: ${name}`, () => {
    let world: TestWorld;
    beforeEach(() => {
      world = createWorld();
    });
    afterEach(() => world.close());

    async function listen(node: TestNode, accept = (_text: string) => true): Promise<Heard> {
      const heard: Heard = { node, messages: [] };
      await node.gossip.start((author, message) => {
        const text = new TextDecoder().decode(message);
        if (!accept(text)) return false;
        heard.messages.push({ author, text });
        return true;
      });
      await node.transport.start({ onFrame: () => {}, onUp: () => {}, onDown: () => {} });
      return heard;
    }

    /** Every pair is connected from one side. */
    async function mesh(size: number, accept?: (text: string) => boolean): Promise<Heard[]> {
      const all: Heard[] = [];
      for (let number = 0; number < size; number++) {
        const next = await listen(await world.add(), accept);
        for (const { node } of all) {
          node.transport.connect(next.node.id, next.node.transport.addresses());
        }
        all.push(next);
      }
      return all;
    }

    /** Publishes until every other node has heard this author say `text`: gossip is lossy. */
    async function tellAll(all: readonly Heard[], from: Heard, text: string): Promise<void> {
      let round = 0;
      let due = 0;
      await world.until(`everybody has heard ${text}`, () => {
        if (round++ >= due) {
          due = round + 20;
          from.node.gossip.publish(encode(`${text} ${round}`));
        }
        return all.every(
          one =>
            one === from ||
            one.messages.some(
              message => message.author === from.node.id && message.text.startsWith(text),
            ),
        );
      });
    }

    for (const size of [2, 3, 5]) {
      test(`in a cluster of ${size} every node hears every other one`, async () => {
        const all = await mesh(size);
        for (const from of all) await tellAll(all, from, `from ${from.node.id}`);
      });
    }

    test('names the author truly and does not deliver own messages', async () => {
      const all = await mesh(3);
      for (const from of all) await tellAll(all, from, `I am ${from.node.id}`);
      for (const { node, messages } of all) {
        expect(messages.length).toBeGreaterThan(0);
        for (const { author, text } of messages) {
          expect(author).not.toBe(node.id);
          expect(text).toContain(author);
        }
      }
    });

    test('delivers one message once where the network does not repeat it', async () => {
      const all = await mesh(5);
      for (const from of all) await tellAll(all, from, 'hello');
      for (const { messages } of all) {
        const seen = messages.map(({ author, text }) => `${author} ${text}`);
        expect(new Set(seen).size).toBe(seen.length);
      }
    });

    test('drops and counts what is not accepted, and goes on', async () => {
      const all = await mesh(3, text => !text.startsWith('bad'));
      const [first, ...others] = all;
      await tellAll(all, first!, 'good');
      for (let number = 0; number < 10; number++)
        first!.node.gossip.publish(encode(`bad ${number}`));
      await tellAll(all, first!, 'after');
      for (const { node, messages } of others) {
        expect(messages.some(({ text }) => text.startsWith('bad'))).toBe(false);
        await world.until(
          'the bad ones are counted',
          () => (node.gossip.counters()['rejected'] ?? 0) > 0,
        );
      }
    });

    test('does not send a message over the bound, and sends one at the bound', async () => {
      const all = await mesh(2);
      const [first, second] = all;
      await tellAll(all, first!, 'hello');
      first!.node.gossip.publish(new Uint8Array(limits.gossipBytesMax + 1).fill(0x61));
      expect(first!.node.gossip.counters()['oversized']).toBe(1);
      first!.node.gossip.publish(new Uint8Array(limits.gossipBytesMax).fill(0x61));
      await world.until('the large one arrived', () =>
        second!.messages.some(({ text }) => text.length === limits.gossipBytesMax),
      );
      expect(second!.messages.every(({ text }) => text.length <= limits.gossipBytesMax)).toBe(true);
    });

    test('a node that comes back hears and is heard again', async () => {
      const all = await mesh(3);
      for (const from of all) await tellAll(all, from, 'before');
      await all[2]!.node.crash();
      await tellAll(all.slice(0, 2), all[0]!, 'meanwhile');
      all[2] = await listen(await all[2]!.node.restart());
      for (const from of all) await tellAll(all, from, 'again');
    });
  });
}
