/** What a node takes of a snapshot that somebody sends it: nothing that is not meant for it. */
import { describe, expect, test } from 'vitest';
import { hashText } from '../../../src/model/slots.ts';
import type { Descriptor } from '../../../src/node/descriptor.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import {
  decodePart,
  encodePart,
  RowCutter,
  type SnapshotHeader,
  type SnapshotPart,
} from '../../../src/node/snapshot-wire.ts';
import type { BulkStream, BulkTransport } from '../../../src/ports/bulk.ts';
import { type Message, newMessage } from '../../../src/raft/message.ts';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

interface Scene {
  readonly world: SmallWorld;
  readonly n1: TschedNode;
  readonly n2: TschedNode;
  readonly bulk: BulkTransport;
  /** What n1 would truly send n2 of shard 1, but far ahead of what either has. */
  readonly header: SnapshotHeader;
}

async function scene(): Promise<Scene> {
  const world = new SmallWorld({ shards: 1 });
  const [n1, n2] = await world.cluster(3);
  await submitted(world, n1!, [someSpec()]);
  const sender = n1!.loop.replica(1)!;
  const receiver = n2!.loop.replica(1)!;
  const { descriptor } = sender;
  const message: Message = {
    ...newMessage('MsgSnap', sender.id, receiver.id, sender.core.term),
    snapshot: { index: 9_999, term: sender.core.term, conf: descriptor.conf },
  };
  return {
    world,
    n1: n1!,
    n2: n2!,
    bulk: world.bulk.get('n1')!,
    header: { clusterId: 'c', group: 1, toStore: hashText('store-n2'), descriptor, message },
  };
}

/** Sends these parts and reads answers until a verdict; what the stream came to. */
async function converse(
  world: SmallWorld,
  bulk: BulkTransport,
  parts: readonly SnapshotPart[] | Uint8Array,
): Promise<string> {
  const stream = await world.within(bulk.open('n2'));
  const ended = async (): Promise<string> => {
    for (;;) {
      const bytes = await stream.next();
      if (bytes === undefined) return 'ended';
      const part = decodePart(bytes);
      if (part.kind === 'verdict') return part.verdict;
    }
  };
  const outcome = ended().catch(() => 'broken');
  const send = async (): Promise<void> => {
    if (parts instanceof Uint8Array) await stream.send(parts);
    else for (const part of parts) await stream.send(encodePart(part));
  };
  // A stream that the other side has given up takes nothing any more.
  const sent = send().catch(() => undefined);
  const result = await world.within(outcome);
  await world.within(sent);
  return result;
}

const asHeader = (header: SnapshotHeader): SnapshotPart => ({ kind: 'header', header });

const withSnapshot = (header: SnapshotHeader, change: Partial<Message>): SnapshotHeader => ({
  ...header,
  message: { ...header.message, ...change },
});

const oneRow = (): SnapshotPart[] => {
  const cutter = new RowCutter();
  return [...cutter.push([[Uint8Array.of(1), Uint8Array.of(2)]]), ...cutter.end()];
};

/** The receiver goes on with its own log, and agrees with the sender. */
async function expectUntouched({ world, n1, n2 }: Scene): Promise<void> {
  const [sent, received] = [n1.loop.replica(1)!, n2.loop.replica(1)!];
  await submitted(world, n1, [someSpec()]);
  await world.until(() => received.applied === sent.applied);
  expect(received.log.firstIndex()).toBe(1);
  expect(received.machine.digest()).toBe(sent.machine.digest());
  expect(world.fatals).toEqual([]);
  const running = n2.api.metrics().find(one => one.name === 'tsched_snapshots_running');
  expect(running?.value).toBe(0);
}

describe('a snapshot is refused', () => {
  const cases: readonly [string, (header: SnapshotHeader) => SnapshotHeader, string][] = [
    ['of another cluster', header => ({ ...header, clusterId: 'other' }), 'refused'],
    ['for another store', header => ({ ...header, toStore: 7 }), 'refused'],
    ['for a store that is not named', header => ({ ...header, toStore: 0 }), 'refused'],
    ['of a group that is not here', header => ({ ...header, group: 77 }), 'refused'],
    ['for another replica', header => withSnapshot(header, { to: 4_242 }), 'refused'],
    [
      'without what it stands for',
      header => withSnapshot(header, { snapshot: undefined }),
      'refused',
    ],
    ['with another message', header => withSnapshot(header, { type: 'MsgApp' }), 'refused'],
    [
      'whose members are of a later index',
      header => ({
        ...header,
        descriptor: { ...header.descriptor, confIndex: 10_000 } as Descriptor,
      }),
      'refused',
    ],
    ['of an earlier leader', header => withSnapshot(header, { term: 0 }), 'stale'],
  ];

  test.each(cases)('%s', async (_, change, verdict) => {
    const here = await scene();
    const found = await converse(here.world, here.bulk, [asHeader(change(here.header))]);
    expect(found).toBe(verdict);
    await expectUntouched(here);
  });

  test('that the receiver is beyond already', async () => {
    const here = await scene();
    const { header } = here;
    const snapshot = { ...header.message.snapshot!, index: header.descriptor.confIndex };
    const old = withSnapshot(header, { snapshot });
    expect(await converse(here.world, here.bulk, [asHeader(old)])).toBe('stale');
  });

  test('in the name of a replica that lives elsewhere', async () => {
    const here = await scene();
    const other = here.header.descriptor.members.find(({ node }) => node === 'n3')!;
    const forged = withSnapshot(here.header, { from: other.replicaId });
    expect(await converse(here.world, here.bulk, [asHeader(forged)])).toBe('refused');
  });

  test('from a node that is no member', async () => {
    const here = await scene();
    const { world } = here;
    const { transport, bulk } = world.net.join('rogue');
    await transport.start({
      onFrame: () => undefined,
      onUp: () => undefined,
      onDown: () => undefined,
    });
    transport.connect('n2', []);
    await world.until(() => transport.connected('n2'));
    expect(await converse(world, bulk, [asHeader(here.header)])).toBe('refused');
  });

  test('while another one is taken in', async () => {
    const here = await scene();
    const { world, bulk } = here;
    const first: BulkStream = await world.within(bulk.open('n2'));
    await world.within(first.send(encodePart(asHeader(here.header))));
    expect((await world.within(first.next()))?.length).toBeGreaterThan(0);
    expect(await converse(world, bulk, [asHeader(here.header)])).toBe('busy');
    first.abort();
    await world.pass(100);
    // And then there is room again.
    expect(await converse(world, bulk, [asHeader(here.header), { kind: 'taken', seq: 1 }])).toBe(
      'broken',
    );
  });
});

describe('a transfer that goes wrong leaves the replica as it is', () => {
  const broken: readonly [
    string,
    (header: SnapshotHeader) => readonly SnapshotPart[] | Uint8Array,
  ][] = [
    ['bytes that are no part', () => Uint8Array.of(9, 9, 9)],
    ['rows before the header', () => oneRow()],
    ['a second header', header => [asHeader(header), asHeader(header)]],
    ['an answer in place of rows', header => [asHeader(header), { kind: 'taken', seq: 3 }]],
    [
      'a chunk out of turn',
      header => [asHeader(header), ...oneRow().map(part => ({ ...part, seq: 2 }))],
    ],
    [
      'a trailer that promises more rows',
      header => [
        asHeader(header),
        ...oneRow().map(part => (part.kind === 'trailer' ? { ...part, rows: 5 } : part)),
      ],
    ],
    ['rows that no machine can load', header => [asHeader(header), ...oneRow()]],
  ];

  test.each(broken)('%s', async (_, make) => {
    const here = await scene();
    expect(await converse(here.world, here.bulk, make(here.header))).toBe('broken');
    await expectUntouched(here);
  });
});
