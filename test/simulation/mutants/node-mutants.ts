/** Bugs of the driver, of storage and of the registry. */
import type { Mutant } from './mutant.ts';

const replica = 'src/node/replica.ts';

const restarts = {
  nodes: 3,
  shards: 2,
  skewedClocks: false,
  faults: ['crash', 'powerLoss', 'stop'],
  faultEveryMs: 1_000,
  requestEveryMs: 60,
  longFaults: false,
  longTaskPercent: 5,
} as const;

const cutOff = {
  nodes: 3,
  shards: 2,
  skewedClocks: false,
  growUnderLoad: false,
  faults: ['partition', 'pause', 'transfer', 'oneWay'],
  faultEveryMs: 400,
  requestEveryMs: 20,
  longFaults: false,
} as const;

export const nodeMutants: readonly Mutant[] = [
  {
    name: 'term-needs-no-fsync',
    sentence: 'Terms and votes that come without entries are answered before they are written.',
    file: replica,
    search: '    if (!persist.mustSync && persist.entries.length === 0 && this.#tokensOut === 0) {',
    replacement: '    if (persist.entries.length === 0 && this.#tokensOut === 0) {',
  },
  {
    name: 'term-never-written',
    sentence: 'The term and the vote never reach the disk.',
    file: 'src/node/replica-batch.ts',
    search: "    if (hard !== undefined) ops.push({ kind: 'hard', group, hard });",
    replacement: '    void hard;',
  },
  {
    name: 'receipt-out-of-order',
    sentence: 'A receipt is given back while an earlier write is under way.',
    file: replica,
    search: ' && this.#tokensOut === 0) {',
    replacement: ') {',
  },
  {
    name: 'replaced-entries-stay-queued',
    sentence: 'Entries that were replaced before they were written are written too.',
    file: 'src/node/replica-batch.ts',
    search: '    if (keep >= 0) this.entries.length = keep;',
    replacement: '    if (keep >= 99) this.entries.length = keep;',
    options: { ...cutOff, faults: ['slowDisk', 'partition', 'oneWay'], faultEveryMs: 300 },
  },
  {
    name: 'rows-without-their-index',
    sentence: 'State rows are stored with an applied index from before them.',
    file: replica,
    search: '      applied: this.applied,\n      appliedTerm: this.appliedTerm,\n      rows:',
    replacement:
      '      applied: this.flushedIndex,\n      appliedTerm: this.appliedTerm,\n      rows:',
    options: restarts,
  },
  {
    name: 'proposal-answered-by-index',
    sentence: 'A proposal is acknowledged when any entry is applied at its index.',
    file: 'src/node/pending-proposals.ts',
    search: '    if (pending.term === term) pending.proposal.resolve',
    replacement: '    if (pending.term <= term) pending.proposal.resolve',
    options: cutOff,
  },
  {
    name: 'unknown-told-as-refused',
    sentence: 'A write that may have happened is told to be refused.',
    file: 'src/node/shard-leaders.ts',
    search: '        if (unknown) throw late();',
    replacement: '        if (leftMs > 1e9) throw late();',
    options: { ...cutOff, delayMsMax: 1_000 },
  },
  {
    name: 'stale-read-not-marked',
    sentence: 'An answer of a replica that asked nobody is not marked stale.',
    file: 'src/node/shard-access.ts',
    search: '      stale,\n',
    replacement: '      stale: false,\n',
    options: cutOff,
  },
  {
    name: 'read-not-confirmed',
    sentence: 'A leader answers reads without asking its majority.',
    file: 'src/node/shard-access.ts',
    search: '        loop.read(replica),\n',
    replacement: '        Promise.resolve(),\n',
    options: { ...cutOff, shards: 4, faults: ['pause'], faultEveryMs: 3_000, requestEveryMs: 30 },
  },
  {
    name: 'replica-id-reused',
    sentence: 'The registry hands out the number of a replica that is gone.',
    file: 'src/registry/commands/allocate-replica.ts',
    search: '  const replicaId = state.nextReplicaId();',
    replacement:
      '  let replicaId = 1;\n  while (state.replicas.has(replicaId)) replicaId++;\n' +
      '  state.replicaCounter = Math.max(state.replicaCounter, replicaId);',
    options: { nodes: 5, faults: ['wipe', 'crash'], faultEveryMs: 1_000, events: 8_000 },
  },
  {
    name: 'wiped-disk-speaks',
    sentence: 'A node with a wiped disk takes up the replicas that the old disk had.',
    file: 'src/node/descriptor.ts',
    search: 'export const storeMark = (storeId: string): number => hashText(storeId);',
    replacement: "export const storeMark = (_storeId: string): number => hashText('any');",
    options: { nodes: 3, faults: ['wipe', 'crash', 'partition'], faultEveryMs: 1_000 },
  },
  {
    name: 'starts-counted-only',
    sentence: 'A rolled-back disk that was started often enough is taken for a new start.',
    file: 'src/registry/starts.ts',
    search: '  if (starts === undefined || !isKept(known.bootId)) return false;',
    replacement: '  if (starts === undefined || known.bootCount > 0) return false;',
    in: 'rollback',
  },
];
