/**
 * Reads a scenario from a parsed document. Everything that is wrong with it is told at once, each
 * with its place, and nothing here throws.
 */
import { describeValue, ProblemList, type SpecProblem } from '../model/spec-reading.ts';
import { type FaultKind, faultNames, kindRow, optionNames } from './fault-kinds.ts';
import type { CheckBounds, FaultOptions, FaultPlan, RandomPlan, Scenario } from './scenario.ts';
import { type Fields, hourMs, Part } from './scenario-part.ts';
import { parseTarget, type Target, targetGrammar } from './target.ts';
import { readWorkload } from './workload-reading.ts';

export type ScenarioReading =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

const faultsMax = 500;
const anyLength = { min: 0, max: hourMs } as const;
const someLength = { min: 1, max: hourMs } as const;

const optionDefaults: FaultOptions = {
  everyMs: 3_000,
  delayMs: 50,
  jitterMs: 10,
  percent: 20,
  rate: 1_000_000,
  bytes: 3,
  jumpMs: hourMs,
  limitBytes: 1_048_576,
};

/** A cluster that is there already, whatever the scenario says of its own. */
export interface GivenCluster {
  readonly nodes: number;
  readonly shards: number;
}

/** Reads a whole scenario from a parsed YAML document, for a cluster of its own or a given one. */
export function readScenario(value: unknown, given?: GivenCluster): ScenarioReading {
  const problems = new ProblemList();
  const known = ['name', 'about', 'cluster', 'workload', 'faults', 'random', 'checks'];
  const part = new Part(problems, '', value ?? null, known);
  const name = part.text('name', /^[a-z0-9][a-z0-9-]{0,49}$/, 'a name such as `leader-kill`');
  if (!part.has('name')) part.missing('name');
  if (!part.has('faults') && !part.has('random')) part.missing('faults');
  const about = part.text('about', /^[\s\S]{1,2000}$/, 'a sentence');
  const cluster = { ...readCluster(part), ...given };
  const workload = readWorkload(part);
  const faults = readFaults(part, cluster.nodes, cluster.shards);
  const random = readRandom(part, cluster.nodes);
  refuseMixture(part);
  const checks = readChecks(part);
  if (problems.found.length > 0) return { ok: false, problems: problems.found };
  return {
    ok: true,
    scenario: {
      name: name ?? 'unnamed',
      about: (about ?? '').trim(),
      ...cluster,
      ...workload,
      faults,
      random,
      checks,
    },
  };
}

function readCluster(whole: Part): Pick<Scenario, 'nodes' | 'shards' | 'flags'> {
  const known = ['nodes', 'shards', 'flags'];
  const part = new Part(whole.problems, whole.at('cluster'), whole.fields['cluster'], known);
  const shards = part.count('shards', { min: 1, max: 256 }) ?? 16;
  if ((shards & (shards - 1)) !== 0) {
    part.problems.add(part.at('shards'), `must be a power of two, not the number ${shards}`);
  }
  const flags = part.fields['flags'] ?? [];
  const areTexts = Array.isArray(flags) && flags.every(flag => typeof flag === 'string');
  if (!areTexts) part.problems.add(part.at('flags'), 'must be a list of texts');
  return {
    nodes: part.count('nodes', { min: 1, max: 9 }) ?? 3,
    shards,
    flags: areTexts ? (flags as string[]) : [],
  };
}

function readOptions(part: Part): FaultOptions {
  return {
    everyMs: part.duration('every', { min: 500, max: hourMs }) ?? optionDefaults.everyMs,
    delayMs: part.duration('delay', someLength) ?? optionDefaults.delayMs,
    jitterMs: part.duration('jitter', anyLength) ?? optionDefaults.jitterMs,
    percent: part.count('percent', { min: 1, max: 100 }) ?? optionDefaults.percent,
    rate: part.size('rate') ?? optionDefaults.rate,
    bytes: part.count('bytes', { min: 1, max: 10_000 }) ?? optionDefaults.bytes,
    jumpMs: part.signedDuration('jump') ?? optionDefaults.jumpMs,
    limitBytes: part.size('limit') ?? optionDefaults.limitBytes,
  };
}

function readFaults(whole: Part, nodes: number, shards: number): FaultPlan[] {
  const list = whole.fields['faults'] ?? [];
  if (!Array.isArray(list) || list.length > faultsMax) {
    whole.problems.add(whole.at('faults'), `must be a list of up to ${faultsMax} faults`);
    return [];
  }
  return list
    .map((value, place) => readFault(whole, `${whole.at('faults')}/${place}`, value, nodes, shards))
    .filter(fault => fault !== undefined)
    .sort((left, right) => left.atMs - right.atMs);
}

function readFault(
  whole: Part,
  pointer: string,
  value: unknown,
  nodes: number,
  shards: number,
): FaultPlan | undefined {
  const known = ['at', 'for', 'kind', 'target', ...optionNames];
  const part = new Part(whole.problems, pointer, value ?? null, known);
  const kind = part.has('kind')
    ? part.kind(part.at('kind'), part.fields['kind'], faultNames)
    : part.missing('kind');
  const atMs = part.has('at') ? part.duration('at', anyLength) : part.missing('at');
  const forMs = part.duration('for', someLength) ?? 5_000;
  const target = readTarget(part, nodes, shards);
  if (kind !== undefined) refuseForeignFields(part, kind);
  const options = readOptions(part);
  if (kind === undefined || atMs === undefined || target === undefined) return undefined;
  if (kind === 'powerCut' && target.of !== 'all' && part.has('target')) {
    return part.problems.add(part.at('target'), 'must be `all`: powerCut hits every node at once');
  }
  if (kind === 'powerCut') return { atMs, forMs, kind, target: { of: 'all' }, options };
  return { atMs, forMs: kindRow(kind).lasts ? forMs : 0, kind, target, options };
}

/** Nodes that a power cut hits are in a guest, where nothing else can be done to them. */
function refuseMixture(whole: Part): void {
  const kindIn = (value: unknown): unknown => (value as Fields | null | undefined)?.['kind'];
  const faults = listIn(whole.fields['faults']).map(kindIn);
  const drawn = listIn((whole.fields['random'] as Fields | null | undefined)?.['kinds']);
  if (![...faults, ...drawn].includes('powerCut')) return;
  const why = (kind: string): string =>
    `${kind} cannot be done in the guest that powerCut needs; give it a scenario of its own`;
  const refuse = (kind: unknown, pointer: string): void => {
    const known = faultNames.find(name => name === kind);
    if (known !== undefined && known !== 'powerCut') whole.problems.add(pointer, why(known));
  };
  for (const [place, kind] of faults.entries()) {
    refuse(kind, `${whole.at('faults')}/${place}/kind`);
  }
  for (const [place, kind] of drawn.entries()) {
    refuse(kind, `${whole.at('random')}/kinds/${place}`);
  }
}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A field that means nothing to this kind is most likely meant for another one. */
function refuseForeignFields(part: Part, kind: FaultKind): void {
  const { options = [], lasts } = kindRow(kind);
  for (const name of optionNames) {
    if (part.has(name) && !options.includes(name)) {
      part.problems.add(part.at(name), `\`${name}\` means nothing for ${kind}`);
    }
  }
  if (part.has('for') && !lasts) {
    part.problems.add(part.at('for'), `${kind} happens at an instant and has no \`for\``);
  }
}

function readTarget(part: Part, nodes: number, shards: number): Target | undefined {
  if (!part.has('target')) return { of: 'random', count: 1 };
  const value = part.fields['target'];
  const target = typeof value === 'string' ? parseTarget(value) : undefined;
  const say = (message: string): undefined => part.problems.add(part.at('target'), message);
  if (target === undefined) return say(`must be ${targetGrammar}, not ${describeValue(value)}`);
  const named = target.of === 'nodes' ? target.numbers : [];
  const unknown = named.find(number => number < 1 || number > nodes);
  if (unknown !== undefined) return say(`names n${unknown}; the cluster has n1 to n${nodes}`);
  if (target.of === 'random' && (target.count < 1 || target.count > nodes)) {
    return say(`must draw 1 to ${nodes} nodes, not ${target.count}`);
  }
  if (target.of === 'leader' && (target.shard ?? 1) > shards) {
    return say(`names shard ${target.shard}; the cluster has 1 to ${shards}`);
  }
  return target;
}

function readRandom(whole: Part, nodes: number): RandomPlan | undefined {
  if (!whole.has('random')) return undefined;
  const known = ['from', 'until', 'every', 'shortest', 'longest', 'kinds', 'atOnce'];
  const part = new Part(whole.problems, whole.at('random'), whole.fields['random'], [
    ...known,
    ...optionNames,
  ]);
  const list = part.fields['kinds'] ?? ['kill', 'pause', 'crashMachine', 'killSupervisor'];
  if (!Array.isArray(list) || list.length === 0) {
    return part.problems.add(part.at('kinds'), 'must be a list of kinds of faults');
  }
  const kinds = list.map((value, place) =>
    part.kind(`${part.at('kinds')}/${place}`, value, faultNames),
  );
  const fromMs = part.duration('from', anyLength) ?? 5_000;
  const untilMs = part.has('until') ? part.duration('until', someLength) : part.missing('until');
  const shortestMs = part.duration('shortest', someLength) ?? 500;
  const longestMs = part.duration('longest', someLength) ?? 8_000;
  if (untilMs !== undefined && untilMs <= fromMs) {
    part.problems.add(part.at('until'), 'must be later than `from`');
  }
  if (longestMs < shortestMs) {
    part.problems.add(part.at('longest'), 'must not be shorter than `shortest`');
  }
  const atOnceMax = Math.max(1, nodes);
  return {
    fromMs,
    untilMs: untilMs ?? fromMs,
    everyMs: part.duration('every', { min: 200, max: hourMs }) ?? 6_000,
    shortestMs,
    longestMs,
    kinds: kinds.filter(kind => kind !== undefined),
    atOnce: part.count('atOnce', { min: 1, max: atOnceMax }) ?? 1,
    options: readOptions(part.without('every')),
  };
}

function readChecks(whole: Part): CheckBounds {
  const known = ['ackWithin', 'ledWithin', 'settleWithin'];
  const part = new Part(whole.problems, whole.at('checks'), whole.fields['checks'], known);
  return {
    ackWithinMs: part.duration('ackWithin', someLength) ?? 10_000,
    ledWithinMs: part.duration('ledWithin', someLength) ?? 10_000,
    settleWithinMs: part.duration('settleWithin', someLength) ?? 90_000,
  };
}
