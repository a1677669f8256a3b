/**
 * Golden bytes of every format of src/model. A disk or a node of another version holds these bytes:
 * one of them changes only together with the version number of its format, and the old line stays.
 */
import { describe, expect, test } from 'vitest';
import { decodeAdvertisement, encodeAdvertisement } from '../../../src/model/advertisement.ts';
import { outcomeKinds, readOutcome, writeOutcome } from '../../../src/model/attempt.ts';
import { ByteReader, ByteWriter } from '../../../src/model/bytes.ts';
import {
  decodeShardCommand,
  encodeShardCommand,
  shardCommandKinds,
} from '../../../src/model/command.ts';
import { noResources, tiers } from '../../../src/model/resources.ts';
import { clusterVersionOfSpec, decodeSpec, encodeSpec } from '../../../src/model/spec.ts';
import { type SpecScheduling, schedulingFields } from '../../../src/model/spec-scheduling.ts';
import { taskStates } from '../../../src/model/task.ts';
import {
  decodeFromWorker,
  decodeToWorker,
  encodeFromWorker,
  encodeToWorker,
  refusals,
} from '../../../src/model/worker-protocol.ts';
import {
  advertisement,
  commandSpec,
  commands,
  fromWorker,
  fullSpec,
  sampleId,
  sampleOutcomes,
  serving,
  sharing,
  smallSpec,
  toWorker,
} from './samples.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

const golden = {
  specs: {
    null:
      '0101080764656661756c74020403616e6e06000901000a096480808020000000000f01011002000011010012' +
      '02d00f1303a09c01140480808008',
    command:
      '0101080764656661756c74020403616e6e0305046ec3a468040c02092f62696e2f6563686f000901000a0964' +
      '80808020000000000f0101100200001101001202d00f1303a09c01140480808008',
    full:
      '0101050461636d65020403626f620308076e696768746c79050f04612e73680300ff0a02013102c3bc070501' +
      '014101310805042f7372760901020a07f40300000000020b060102030405060c0801047465616d01780d0901' +
      '03677075037965730e02016b0f01031005e807e0d4031103c0cf24120100130480dddb01140101',
  },
  outcomes: {
    system: '01040000000600000000000000016d',
    // Of version 2.
    supervisor: '02040000000600000000000000016d0100',
    full: '0101010701075349475445524d0180d095ffbc3102038080808010050601057461696c0a03776879',
    handedOn:
      '0201010701075349475445524d0180d095ffbc3102038080808010050601057461696c0a03776879' +
      '000102c3bc',
  },
  commands: {
    submit:
      '010080d095ffbc310561646d696e0764656661756c7401070707070707070707070707070707070301020302' +
      '14303635777a7362383031303530303030303032640000000014303635777a73623830377a7a7a7a7a7a7a7a' +
      '7a7a000114303635777a7362383031303530303030303032640114303635777a73623830377a7a7a7a7a7a7a' +
      '7a7a7a01e807',
    assign:
      '010180d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '036e2d31036f6e6503696e63',
    unassign:
      '010280d095ffbc310561646d696e0764656661756c740414303635777a736238303130353030303030303264' +
      '000014303635777a736238303130353030303030303264010114303635777a73623830313035303030303030' +
      '3264020214303635777a7362383031303530303030303032640303',
    start:
      '010380d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      'ac0281d095ffbc31',
    finish:
      '010480d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '010101010701075349475445524d0180d095ffbc3102038080808010050601057461696c0a03776879',
    lose:
      '010580d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '020a6c65617365206f766572',
    cancel:
      '010680d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '076e6f206e656564',
    recover: '010780d095ffbc310561646d696e0764656661756c74ac02',
    expire:
      '010880d095ffbc310561646d696e0764656661756c740214303635777a736238303130353030303030303264' +
      '04070707070707070707070707070707070014303635777a73623830377a7a7a7a7a7a7a7a7a7a0308080808' +
      '0808080808080808080808080101020304fffefdfc',
    overdue:
      '011b80d095ffbc310561646d696e0764656661756c740214303635777a736238303130353030303030303264' +
      '14303635777a73623830377a7a7a7a7a7a7a7a7a7a',
    deliver:
      '010d80d095ffbc310561646d696e0764656661756c740903010114303635777a736238303130353030303030' +
      '30326414303635777a73623830377a7a7a7a7a7a7a7a7a7a0082808080100114303635777a73623830313035' +
      '303030303030326414303635777a73623830377a7a7a7a7a7a7a7a7a7a01000102c3bc838080801002143036' +
      '35777a73623830377a7a7a7a7a7a7a7a7a7a02000214303635777a7362383031303530303030303032641430' +
      '3635777a73623830377a7a7a7a7a7a7a7a7a7a00',
    acknowledge: '010e80d095ffbc310561646d696e0764656661756c740201ac02',
    submitWorkflow:
      '010f80d095ffbc310561646d696e0764656661756c7414303635777a73623830313035303030303030326404' +
      '61636d6503626f62076e696768746c7903050505050505050505050505050505050114303635777a73623830' +
      '377a7a7a7a7a7a7a7a7a7a010107070707070707070707070707070707030102030200016201000000000163' +
      '0200010114303635777a7362383031303530303030303032640114303635777a736238303130353030303030' +
      '3032640101010701075349475445524d0180d095ffbc3102038080808010050601057461696c0a03776879',
    cancelWorkflow:
      '011080d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '076e6f206e656564',
    charge: '011f80d095ffbc310561646d696e0764656661756c74010461636d65ac02',
    adopt: '012380d095ffbc310561646d696e0764656661756c7403',
    replay:
      '012480d095ffbc310561646d696e0764656661756c7401070707070707070707070707070707070101011430' +
      '3635777a73623830377a7a7a7a7a7a7a7a7a7a000114303635777a7362383031303530303030303032640000',
    purge:
      '012580d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264',
    createSchedule:
      '011480d095ffbc310561646d696e0764656661756c7402010461636d65076e696768746c790296010200040d' +
      '4575726f70652f4265726c696e03020180dddb01ac020180a0f1c2b134010a07070707070707070707070707' +
      '0707073a0101080764656661756c74020403616e6e06000901000a096480808020000000000f010110020000' +
      '1101001202d00f1303a09c01140480808008010461636d65076e696768746c790509302032202a202a202a03' +
      '555443000000000000080808080808080808080808080808083a0101080764656661756c74020403616e6e06' +
      '000901000a096480808020000000000f0101100200001101001202d00f1303a09c01140480808008',
    fire:
      '011580d095ffbc310561646d696e0764656661756c74020461636d65076e696768746c79010180d095ffbc31' +
      '01000461636d65076e696768746c790180d095ffbc31e0a499ffbc3100ac02',
    triggerSchedule:
      '011680d095ffbc310561646d696e0764656661756c74010461636d65076e696768746c7914303635777a7362' +
      '38303130353030303030303264',
    backfill:
      '011780d095ffbc310561646d696e0764656661756c74010461636d65076e696768746c7905616761696e0201' +
      '80d095ffbc31',
    pauseSchedule:
      '011880d095ffbc310561646d696e0764656661756c74020461636d65076e696768746c79010461636d65076e' +
      '696768746c7900046ec3a468',
    deleteSchedule: '011980d095ffbc310561646d696e0764656661756c74010461636d65076e696768746c79',
    assignGang:
      '010a80d095ffbc310561646d696e0764656661756c74010214303635777a7362383031303530303030303032' +
      '64036e2d31036f6e6503696e6314303635777a73623830377a7a7a7a7a7a7a7a7a7a036e2d320374776f0369' +
      '6e63',
    pause:
      '012880d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '0103776879',
    resume:
      '012980d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264',
    update:
      '012a80d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      '070102016e020501016101620302ac020404e807d00f0503e0d4030601020703e0d403',
    suspended:
      '012b80d095ffbc310561646d696e0764656661756c740114303635777a736238303130353030303030303264' +
      'ac0201',
  },
  toWorker: {
    dispatch: '01000514303635777a736238303130353030303030303264ac0203696e630902011103010203',
    dispatchWithBound:
      '01000514303635777a736238303130353030303030303264ac0203696e6309020003010203010202ac02',
    dispatchWithInputs:
      '01000514303635777a736238303130353030303030303264ac0203696e630902000301020301010901046c6f' +
      '616402c3bc',
    dispatchAtOnce:
      '01000514303635777a736238303130353030303030303264ac0203696e6309020003010203020202ac020400',
    endCancelled: '01010514303635777a736238303130353030303030303264ac0201',
    endSuperseded: '01010514303635777a736238303130353030303030303264ac0200',
    reportAck: '01020514303635777a736238303130353030303030303264ac0201',
    go:
      '01040514303635777a736238303130353030303030303264ac02030831302e302e302e310d31302e302e302e' +
      '323a3430303000',
    renewAck: '01030503696e63090114303635777a73623830313035303030303030326401',
    control: '01050514303635777a736238303130353030303030303264ac020101ac02',
  },
  fromWorker: {
    accepted: '01000514303635777a736238303130353030303030303264ac02',
    ready: '01050514303635777a736238303130353030303030303264ac0200',
    readyAtPort: '01050514303635777a736238303130353030303030303264ac02010fa0',
    refused: '01010514303635777a736238303130353030303030303264ac0203',
    started: '01020514303635777a736238303130353030303030303264ac0281d095ffbc31',
    ended:
      '01030514303635777a736238303130353030303030303264ac020101010701075349475445524d0180d095ff' +
      'bc3102038080808010050601057461696c0a03776879',
    renew: '01040503696e63090114303635777a73623830313035303030303030326401',
    controlled: '01060514303635777a736238303130353030303030303264ac020000',
  },
  advertisement:
    '0108313244334b6f6f57036f6e6503ac0203696e6301c03e80808080200102030401000000000001047a6f6e' +
    '6501610702060201400015687474703a2f2f3132372e302e302e313a37303730e807',
  sharing:
    '0208313244334b6f6f57036f6e6503ac0203696e6301c03e80808080200102030401000000000001047a6f6e' +
    '6501610702060201400015687474703a2f2f3132372e302e302e313a37303730e80701021c01076e69676874' +
    '6c790461636d65f403000000000000ac0200000000',
};

/** Of cluster version 3 on: the fields of `schedulingFields`, each in a spec of its own. */
const schedulingGolden: readonly (readonly [SpecScheduling, string])[] = [
  [{ orderKey: 'k1' }, '1503026b31'],
  [{ after: [sampleId] }, '1c160114303635777a736238303130353030303030303264'],
  [{ when: 'failure' }, '1d0101'],
  [{ prefer: [['zone', 'a']] }, '160801047a6f6e650161'],
  [{ spread: { label: 'zone', group: 'web' } }, '1709047a6f6e6503776562'],
  [{ holdIfUnfit: true }, '1800'],
  [{ notBeforeMs: 1_700_000_000_000 }, '1f0680d095ffbc31'],
  [{ delayMs: 300 }, '2002ac02'],
  [{ toleranceMs: 1_800_000 }, '2203c0ee6d'],
  [{ priority: 'high' }, '230100'],
  [
    { offPeak: { byLoad: true, windows: [{ days: 0b1100000, from: 1_320, to: 360 }] } },
    '2407010160a80ae802',
  ],
  [{ expireMs: 7_200_000 }, '250480bab703'],
  [{ periodMs: 86_400_000 }, '260480b89929'],
  [{ retryOn: ['75', 'oom'] }, '290802023735036f6f6d'],
  [{ noRetryOn: ['SIGTERM'] }, '2a0901075349475445524d'],
  [{ maxRunningPer: { key: 'db', max: 300 } }, '2b05026462ac02'],
  [{ template: { name: 'nightly', revision: 300 } }, '2c0a076e696768746c79ac02'],
  [{ gang: 300 }, '1a02ac02'],
  [{ reservation: 'r1' }, '1b03027231'],
];

const specs: Readonly<Record<string, typeof smallSpec>> = {
  null: smallSpec,
  command: commandSpec,
  full: fullSpec,
};

describe('Bytes of version 1', () => {
  test.each(Object.entries(golden.specs))('of a task spec: %s', (name, bytes) => {
    expect(hex(encodeSpec(specs[name]!))).toBe(bytes);
    expect(decodeSpec(bytesOf(bytes))).toEqual(specs[name]);
  });

  test.each(schedulingGolden)(
    'of what a task asks of time, order and place: %j',
    (asked, bytes) => {
      const spec = { ...smallSpec, ...asked };
      expect(hex(encodeSpec(spec))).toBe(golden.specs.null + bytes);
      expect(decodeSpec(encodeSpec(spec))).toEqual(spec);
      expect(clusterVersionOfSpec(encodeSpec(spec))).toBe(3);
      expect(clusterVersionOfSpec(encodeSpec(smallSpec))).toBe(1);
    },
  );

  test('are given for every field of it', () => {
    const shown = new Set(schedulingGolden.flatMap(([asked]) => Object.keys(asked)));
    expect([...shown].sort()).toEqual(Object.keys(schedulingFields).sort());
  });

  test.each(Object.entries(golden.outcomes))('of an outcome: %s', (name, bytes) => {
    const writer = new ByteWriter();
    writeOutcome(writer, sampleOutcomes[name]!);
    expect(hex(writer.finish())).toBe(bytes);
    expect(readOutcome(new ByteReader(bytesOf(bytes)))).toEqual(sampleOutcomes[name]);
  });

  test.each(Object.entries(golden.commands))('of the command %s', (name, bytes) => {
    expect(hex(encodeShardCommand(commands[name]!))).toBe(bytes);
    expect(decodeShardCommand(bytesOf(bytes))).toEqual(commands[name]);
  });

  test.each(Object.entries(golden.toWorker))('of the message to a worker %s', (name, bytes) => {
    expect(hex(encodeToWorker(toWorker[name]!))).toBe(bytes);
    expect(decodeToWorker(bytesOf(bytes))).toEqual(toWorker[name]);
  });

  test.each(Object.entries(golden.fromWorker))('of the message from a worker %s', (name, bytes) => {
    expect(hex(encodeFromWorker(fromWorker[name]!))).toBe(bytes);
    expect(decodeFromWorker(bytesOf(bytes))).toEqual(fromWorker[name]);
  });

  test('of an advertisement that tells of demand, from cluster version 3 on', () => {
    const claim = {
      node: 'n-2',
      request: { ...noResources, cpuMilli: 500 },
      tenant: 'acme',
      urgent: true,
      boundMs: 1_700_000_000_001,
    };
    const demand = { urgent: 2, others: 300, boundMs: 1_700_000_000_000, claims: [claim] };
    const bytes =
      `02${golden.advertisement.slice(2)}` +
      '01012202ac020180d095ffbc3101036e2d32f40300000000000461636d650181d095ffbc31';
    expect(hex(encodeAdvertisement({ ...advertisement, demand }))).toBe(bytes);
    expect(decodeAdvertisement(bytesOf(bytes))).toEqual({ ...advertisement, demand });
    const request = { ...noResources, cpuMilli: 500 };
    const heads = [{ tenant: 'acme', tier: 'regular' as const, request, boundMs: 300 }];
    const waiting = { urgent: 0, others: 1, claims: [], heads };
    const told = '020104000100000410010461636d6501f4030000000000ac02';
    const more = `02${golden.advertisement.slice(2)}${told}`;
    expect(hex(encodeAdvertisement({ ...advertisement, demand: waiting }))).toBe(more);
    expect(decodeAdvertisement(bytesOf(more))).toEqual({ ...advertisement, demand: waiting });
  });

  test('of an advertisement', () => {
    expect(hex(encodeAdvertisement(advertisement))).toBe(golden.advertisement);
    expect(decodeAdvertisement(bytesOf(golden.advertisement))).toEqual(advertisement);
    expect(hex(encodeAdvertisement(sharing))).toBe(golden.sharing);
    expect(decodeAdvertisement(bytesOf(golden.sharing))).toEqual(sharing);
    const held = `02${golden.advertisement.slice(2)}01030e010461636d65f403ac0200000000`;
    expect(hex(encodeAdvertisement(serving))).toBe(held);
    expect(decodeAdvertisement(bytesOf(held))).toEqual(serving);
  });

  test('are given for every kind there is', () => {
    expect(Object.keys(golden.commands)).toEqual([...shardCommandKinds]);
    expect(Object.keys(golden.specs)).toEqual(Object.keys(specs));
    expect(Object.keys(golden.outcomes)).toEqual(Object.keys(sampleOutcomes));
    expect(Object.keys(golden.toWorker)).toEqual(Object.keys(toWorker));
    expect(Object.keys(golden.fromWorker)).toEqual(Object.keys(fromWorker));
  });
});

describe('Words that are stored by their position', () => {
  // Appended to, never reordered: a stored number means the word it meant when it was written.
  test('begin as they always did', () => {
    expect(shardCommandKinds.slice(0, 9)).toEqual([
      'submit',
      'assign',
      'unassign',
      'start',
      'finish',
      'lose',
      'cancel',
      'recover',
      'expire',
    ]);
    expect(taskStates.slice(0, 7)).toEqual([
      'waiting',
      'assigned',
      'running',
      'succeeded',
      'failed',
      'cancelled',
      'aborted',
    ]);
    expect(outcomeKinds.slice(0, 8)).toEqual([
      'succeeded',
      'failed',
      'timedOut',
      'cancelled',
      'lost',
      'startFailed',
      'outOfMemory',
      'outputTooLarge',
    ]);
    expect(refusals.slice(0, 5)).toEqual([
      'noRoom',
      'wrongIncarnation',
      'draining',
      'noLease',
      'waitedTooLong',
    ]);
    expect(tiers.slice(0, 3)).toEqual(['basic', 'regular', 'premium']);
  });
});
