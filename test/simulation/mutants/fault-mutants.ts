/** Bugs that one kind of fault brings out: of disks, links, or the registry. */
import type { Mutant } from './mutant.ts';

const small = {
  nodes: 3,
  shards: 2,
  skewedClocks: false,
  growUnderLoad: false,
  longFaults: false,
  longTaskPercent: 5,
  dropPercent: 0,
  duplicatePercent: 0,
  reorderPercent: 0,
  resetPerTenThousand: 0,
  truncatePerTenThousand: 0,
  delayMsMax: 20,
  failDiskPerMillion: 0,
  requestEveryMs: 20,
  events: 8_000,
} as const;

const damage = {
  ...small,
  shards: 1,
  faults: ['damage', 'crash'],
  faultEveryMs: 1_500,
  requestEveryMs: 100,
  events: 2_500,
  logEntriesKept: 10,
  realStore: true,
} as const;
const full = {
  ...small,
  shards: 1,
  faults: ['diskFull'],
  faultEveryMs: 500,
  requestEveryMs: 60,
} as const;
const truncated = { ...small, faults: [], truncatePerTenThousand: 100 } as const;

export const faultMutants: readonly Mutant[] = [
  {
    name: 'bad-frame-ends-the-node',
    sentence: 'A frame that cannot be read is thrown through the loop.',
    file: 'src/node/peers.ts',
    search: '      if (!(error instanceof DecodeError)) throw error;\n      this.badFrames++;',
    replacement: '      if (error !== undefined) throw error;\n      this.badFrames++;',
    options: truncated,
  },
  {
    name: 'bad-advertisement-ends-the-node',
    sentence: 'An advertisement that cannot be read is thrown at whoever heard it.',
    file: 'src/node/scheduler.ts',
    search: '      if (!(error instanceof DecodeError)) throw error;',
    replacement: '      if (error !== undefined) throw error;',
    options: { ...truncated, truncatePerTenThousand: 2_000 },
  },
  {
    name: 'lost-batches-not-missed',
    sentence: 'A store opens although batch witnesses are missing.',
    file: 'src/storage/level-store.ts',
    search: '    if (problem !== undefined) refuse(this.#options,',
    replacement: '    if (problem === null) refuse(this.#options,',
    options: damage,
  },
  {
    name: 'checksums-not-checked',
    sentence: 'Values of the store are taken for good whatever their checksum is.',
    file: 'src/storage/record.ts',
    search: '  if (crc32(sealed, crc32(key)) !== u32At(value, bodyEnd)) {',
    replacement: '  if (crc32(sealed, crc32(key)) === -1) {',
    options: damage,
  },
  {
    name: 'quarantined-node-speaks',
    sentence: 'A node with a new store answers what is said to the replicas of the old one.',
    file: 'src/node/drive-loop.ts',
    search: '    if (toStore !== 0 && toStore !== this.mark) return;',
    replacement: '',
    also: [
      {
        file: 'src/node/descriptor.ts',
        search: 'export const storeMark = (storeId: string): number => hashText(storeId);',
        replacement:
          'export const storeMark = (storeId: string): number =>\n' +
          "  hashText(storeId.replaceAll(' again', ''));",
      },
    ],
    options: damage,
  },
  {
    name: 'failed-write-acknowledged',
    sentence: 'A write for which there was no room is taken for done.',
    file: 'src/storage/level-store.ts',
    search:
      '      error => {\n        this.#fault(error);\n      },\n    );\n  }\n\n  /**\n   * Hands',
    replacement:
      '      () => {\n        this.#inFlight = undefined;\n        this.#ledgers.settle();\n' +
      '        done();\n      },\n    );\n  }\n\n  /**\n   * Hands',
    options: { ...full, realStore: true },
  },
  {
    name: 'low-disk-takes-tasks',
    sentence: 'A leader with a disk that is nearly full takes new tasks.',
    file: 'src/node/shard-leader.ts',
    search: '    if (this.#context.loop.vitals.diskLow) return',
    replacement: '    if (this.#context.loop.vitals.batchBegan === undefined) return',
    options: { ...full, nodes: 1 },
  },
  {
    name: 'lost-append-not-repeated',
    sentence: 'A follower whose answer was lost is sent nothing more.',
    file: 'src/raft/replication.ts',
    search: '  peer.paused = false;\n  // It may have lost',
    replacement: '  // It may have lost',
    options: { ...small, faults: ['transfer'], faultEveryMs: 1_000, dropPercent: 30 },
  },
  {
    name: 'registration-gives-up',
    sentence: 'A node that finds no majority of the registry at its start gives up after a while.',
    file: 'src/node/registration.ts',
    search: "        log.debug('not registered yet', { why: String(error) });",
    replacement:
      '        const counted = this as unknown as { tries?: number };\n' +
      '        counted.tries = (counted.tries ?? 0) + 1;\n' +
      '        if (counted.tries > 1 && this.#registry.machine()?.cluster()) return;',
    options: {
      ...small,
      nodes: 5,
      faults: ['registryLoss', 'crash'],
      longFaults: true,
      faultEveryMs: 3_000,
      requestEveryMs: 300,
    },
  },
];
