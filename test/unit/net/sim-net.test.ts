import { describe, expect, test } from 'vitest';
import { seededRandom, VirtualClock } from '../../conformance/transport-sim-world.ts';
import { createSimNet, type SimNet, type SimNetFaults } from '../../simulation/sim-net.ts';

interface Recorded {
  readonly log: string[];
  readonly clock: VirtualClock;
  readonly net: SimNet;
  send(from: string, to: string, ...bytes: number[]): boolean;
  publish(from: string, byte: number): void;
  start(id: string): void;
}

/** Nodes that all want each other; all that happens goes to one log, stamped with its time. */
function cluster(ids: readonly string[], faults: Partial<SimNetFaults> = {}, seed = 1): Recorded {
  const clock = new VirtualClock();
  const net = createSimNet({ scheduler: clock, random: seededRandom(seed), faults });
  const log: string[] = [];
  const ports = new Map<string, ReturnType<SimNet['join']>>();
  const say = (what: string): void => {
    log.push(`${clock.nowMs()} ${what}`);
  };
  const start = (id: string): void => {
    const joined = net.join(id);
    ports.set(id, joined);
    void joined.transport.start({
      onFrame: (from, frame) => say(`${from}>${id} ${[...frame].join()}`),
      onUp: peer => say(`${id} up ${peer}`),
      onDown: (peer, refused) => say(`${id} down ${peer} ${refused}`),
    });
    void joined.gossip.start((author, message) => {
      say(`${author}~${id} ${message[0]}`);
      return true;
    });
    for (const other of ids) joined.transport.connect(other, []);
  };
  for (const id of ids) start(id);
  clock.run(1_000);
  return {
    log,
    clock,
    net,
    start,
    send: (from, to, ...bytes) =>
      ports.get(from)?.transport.send(to, Uint8Array.from(bytes)) ?? false,
    publish: (from, byte) => ports.get(from)?.gossip.publish(Uint8Array.of(byte)),
  };
}

/** What was logged, without the times. */
const happened = (log: readonly string[]): string[] =>
  log.map(line => line.slice(line.indexOf(' ') + 1));

const wild: Partial<SimNetFaults> = {
  dropPercent: 10,
  duplicatePercent: 10,
  reorderPercent: 20,
  resetPerTenThousand: 50,
  delayMsTypical: 20,
  delayMsMax: 500,
  gossipDropPercent: 20,
  gossipDuplicatePercent: 10,
};

function wildRun(seed: number): string[] {
  const { log, clock, net, send, publish, start } = cluster(['a', 'b', 'c'], wild, seed);
  for (let round = 0; round < 200; round++) {
    send('a', 'b', round);
    send('b', 'c', round);
    publish('c', round);
    if (round === 50) net.cut('a', 'b');
    if (round === 90) net.heal();
    if (round === 100) net.crash('c');
    if (round === 150) start('c');
    clock.run(100);
  }
  return log;
}

describe('simulated network', () => {
  test('the same seed gives the same history, another seed another one', () => {
    const first = wildRun(7);
    expect(first.length).toBeGreaterThan(300);
    expect(wildRun(7)).toEqual(first);
    expect(wildRun(8)).not.toEqual(first);
  });

  test('without faults every frame arrives once and in order', () => {
    const { log, clock, send } = cluster(['a', 'b']);
    log.length = 0;
    for (let byte = 0; byte < 50; byte++) expect(send('a', 'b', byte)).toBe(true);
    clock.run(100);
    expect(happened(log)).toEqual([...Array(50).keys()].map(byte => `a>b ${byte}`));
  });

  test('frames keep their order through uneven delays as long as reordering is off', () => {
    const { log, clock, send } = cluster(['a', 'b'], { delayMsTypical: 50, delayMsMax: 500 });
    log.length = 0;
    for (let byte = 0; byte < 100; byte++) {
      send('a', 'b', byte);
      clock.run(3);
    }
    clock.run(2_000);
    expect(happened(log)).toEqual([...Array(100).keys()].map(byte => `a>b ${byte}`));
  });

  test('drops, repeats and reorders about as often as it is told', () => {
    const { log, clock, send } = cluster(['a', 'b'], {
      dropPercent: 20,
      duplicatePercent: 20,
      reorderPercent: 50,
      delayMsTypical: 20,
    });
    log.length = 0;
    for (let round = 0; round < 1_000; round++) {
      send('a', 'b', round % 256);
      clock.run(1);
    }
    clock.run(1_000);
    const bytes = happened(log).map(line => Number(line.slice(4)));
    expect(bytes.length).toBeGreaterThan(850);
    expect(bytes.length).toBeLessThan(1_070);
    const backwards = bytes.filter((byte, at) => at > 0 && byte < (bytes[at - 1] ?? 0));
    expect(backwards.length).toBeGreaterThan(50);
  });

  test('a cut link swallows frames in silence and is noticed after the silence bound', () => {
    const { log, clock, net, send } = cluster(['a', 'b']);
    log.length = 0;
    net.cut('a', 'b');
    expect(send('a', 'b', 1)).toBe(true);
    clock.run(2_900);
    expect(log).toEqual([]);
    clock.run(1_000);
    expect(happened(log).sort()).toEqual(['a down b false', 'b down a false']);
    expect(send('a', 'b', 2)).toBe(false);
    net.heal();
    clock.run(1_000);
    expect(happened(log).slice(2).sort()).toEqual(['a up b', 'b up a']);
  });

  test('a short cut loses frames but not the connection', () => {
    const { log, clock, net, send } = cluster(['a', 'b']);
    log.length = 0;
    net.cut('a', 'b');
    send('a', 'b', 1);
    clock.run(1_000);
    net.heal('a', 'b');
    send('a', 'b', 2);
    clock.run(5_000);
    expect(happened(log)).toEqual(['a>b 2']);
  });

  test('a one-way cut lets the other direction through until it is noticed', () => {
    const { log, clock, net, send } = cluster(['a', 'b']);
    log.length = 0;
    net.cutOneWay('a', 'b');
    send('a', 'b', 1);
    send('b', 'a', 2);
    clock.run(100);
    expect(happened(log)).toEqual(['b>a 2']);
    clock.run(5_000);
    expect(happened(log).slice(1).sort()).toEqual(['a down b false', 'b down a false']);
  });

  test('a partial partition cuts one pair; gossip goes round it, frames do not', () => {
    const { log, clock, net, send, publish } = cluster(['a', 'b', 'c']);
    net.partition([
      ['a', 'c'],
      ['b', 'c'],
    ]);
    clock.run(5_000);
    log.length = 0;
    expect(send('a', 'b', 1)).toBe(false);
    expect(send('a', 'c', 2)).toBe(true);
    publish('a', 3);
    clock.run(100);
    expect(happened(log).sort()).toEqual(['a>c 2', 'a~b 3', 'a~c 3']);
  });

  test('a crash loses what is in flight and is noticed at once as refused', () => {
    const { log, clock, net, send } = cluster(['a', 'b']);
    log.length = 0;
    send('b', 'a', 1);
    send('a', 'b', 2);
    net.crash('b');
    clock.run(100);
    expect(happened(log)).toEqual(['a down b true']);
  });

  test('a machine that vanishes is noticed by its silence only', () => {
    const { log, clock, net } = cluster(['a', 'b']);
    log.length = 0;
    net.crash('b', { silent: true });
    clock.run(2_000);
    expect(log).toEqual([]);
    clock.run(2_000);
    expect(happened(log)).toEqual(['a down b false']);
  });

  test('a node that comes back before its silence was noticed is down and up again', () => {
    const { log, clock, net, start } = cluster(['a', 'b']);
    log.length = 0;
    net.crash('b', { silent: true });
    start('b');
    clock.run(1_000);
    expect(happened(log).filter(line => line.startsWith('a'))).toEqual([
      'a down b false',
      'a up b',
    ]);
    expect(happened(log)).toContain('b up a');
  });

  test('ups and downs alternate for every pair however wild the network is', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const state = new Map<string, boolean>();
      for (const line of happened(wildRun(seed))) {
        const [node, what, peer] = line.split(' ');
        if (what !== 'up' && what !== 'down') continue;
        // A new process of c begins anew, so its first word about anybody is "up".
        const key = `${node} ${peer}`;
        if (node !== 'c') expect(state.get(key) ?? false).toBe(what === 'down');
        state.set(key, what === 'up');
      }
    }
  });

  test('delivered buffers are reused after the call', () => {
    const clock = new VirtualClock();
    const net = createSimNet({ scheduler: clock, random: seededRandom(1) });
    const [a, b] = [net.join('a'), net.join('b')];
    const kept: Uint8Array[] = [];
    void a.transport.start({ onFrame: () => {}, onUp: () => {}, onDown: () => {} });
    void b.transport.start({
      onFrame: (_from, frame) => kept.push(frame),
      onUp: () => {},
      onDown: () => {},
    });
    a.transport.connect('b', []);
    clock.run(100);
    a.transport.send('b', Uint8Array.of(5));
    clock.run(100);
    expect(kept.map(frame => [...frame])).toEqual([[0xdb]]);
  });
});

describe('links that are clogged', () => {
  test('hold frames back and let them go in their order', () => {
    const { log, clock, net, send } = cluster(['a', 'b']);
    log.length = 0;
    net.clog('a', 'b');
    for (const byte of [1, 2, 3]) send('a', 'b', byte);
    send('b', 'a', 9);
    clock.run(1_000);
    expect(happened(log)).toEqual(['b>a 9']);
    net.unclog('a', 'b');
    clock.run(1_000);
    expect(happened(log)).toEqual(['b>a 9', 'a>b 1', 'a>b 2', 'a>b 3']);
  });

  test('lose what they held when the connection is given up for its silence', () => {
    const { log, clock, net, send } = cluster(['a', 'b']);
    log.length = 0;
    net.clog('a', 'b');
    send('a', 'b', 1);
    clock.run(10_000);
    net.unclog('a', 'b');
    clock.run(10_000);
    send('a', 'b', 2);
    clock.run(1_000);
    expect(happened(log).filter(line => line.startsWith('a>b'))).toEqual(['a>b 2']);
    expect(happened(log)).toContain('b up a');
  });
});

describe('frames that are cut short', () => {
  test('arrive as a part of what was sent, at least a byte of it', () => {
    const { log, clock, send } = cluster(['a', 'b'], { truncatePerTenThousand: 5_000 });
    log.length = 0;
    for (let round = 0; round < 100; round++) send('a', 'b', 1, 2, 3, 4);
    clock.run(1_000);
    const lengths = happened(log).map(line => line.split(' ')[1]!.split(',').length);
    expect(lengths).toHaveLength(100);
    expect(new Set(lengths)).toEqual(new Set([1, 2, 3, 4]));
  });
});
