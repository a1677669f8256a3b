/**
 * CPU profiles of all nodes over the time that is measured: written as files that browsers'
 * developer tools open, and told as a list of the functions that cost most themselves.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchCluster } from './cluster.ts';
import { Inspector } from './inspector.ts';
import { rounded } from './statistics.ts';

const samplingMicros = 500;
const partsTold = 16;
const functionsTold = 30;

const line = (name: string, percent: number): string =>
  `  ${percent.toFixed(2).padStart(6)}  ${name}`;

interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[];
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Shares {
  /** By function, its own time only. */
  readonly functions: readonly (readonly [name: string, percent: number])[];
  /** By room of the program or package, with what it calls in Node itself. */
  readonly parts: readonly (readonly [name: string, percent: number])[];
}

/** Where the time of all profiles together went, in percent, most first. */
export function sharesOf(profiles: readonly Profile[]): Shares {
  const functions = new Map<string, number>();
  const parts = new Map<string, number>();
  let total = 0;
  for (const profile of profiles) {
    const byId = new Map(profile.nodes.map(node => [node.id, node]));
    const callers = new Map<number, ProfileNode>();
    for (const node of profile.nodes) {
      for (const child of node.children ?? []) callers.set(child, node);
    }
    for (const [place, sample] of profile.samples.entries()) {
      const node = byId.get(sample);
      if (node === undefined) continue;
      const micros = profile.timeDeltas[place] ?? 0;
      total += micros;
      const name = nameOf(node);
      functions.set(name, (functions.get(name) ?? 0) + micros);
      const part = partOf(node, callers);
      parts.set(part, (parts.get(part) ?? 0) + micros);
    }
  }
  const inPercent = (micros: Map<string, number>) =>
    [...micros]
      .map(([name, one]) => [name, rounded((100 * one) / total, 2)] as const)
      .sort((left, right) => right[1] - left[1]);
  return { functions: inPercent(functions), parts: inPercent(parts) };
}

/** Path below the program or below node_modules. */
const fileOf = (url: string): string => {
  const packaged = url.lastIndexOf('/node_modules/');
  return packaged < 0 ? url.replace(/^.*\/dist\//, '') : url.slice(packaged + 14);
};

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  return `${functionName || '(anonymous)'}${url === '' ? '' : ` ${fileOf(url)}:${lineNumber + 1}`}`;
}

/** Whose work it is: the nearest caller outside of Node. */
function partOf(node: ProfileNode, callers: ReadonlyMap<number, ProfileNode>): string {
  if (['(idle)', '(garbage collector)', '(program)'].includes(node.callFrame.functionName)) {
    return node.callFrame.functionName;
  }
  let place: ProfileNode | undefined = node;
  for (; place !== undefined; place = callers.get(place.id)) {
    const { url } = place.callFrame;
    if (!url.startsWith('file:')) continue;
    const file = fileOf(url);
    const depth = file.startsWith('@') || file.startsWith('src/') ? 2 : 1;
    return file.split('/').slice(0, depth).join('/');
  }
  return 'node';
}

/** Makes the `profiled` of a `BenchContext`. */
export function profiler(dir: string, print: (line: string) => void) {
  return async <T>(cluster: BenchCluster, label: string, work: () => Promise<T>): Promise<T> => {
    await mkdir(dir, { recursive: true });
    const inspectors = await Promise.all(cluster.nodes.map(node => Inspector.open(node)));
    for (const inspector of inspectors) {
      await inspector.send('Profiler.enable');
      await inspector.send('Profiler.setSamplingInterval', { interval: samplingMicros });
      await inspector.send('Profiler.start');
    }
    try {
      const result = await work();
      const profiles: Profile[] = [];
      for (const [place, inspector] of inspectors.entries()) {
        const { profile } = await inspector.send<{ profile: Profile }>('Profiler.stop');
        profiles.push(profile);
        const file = join(dir, `${label}-${cluster.nodes[place]!.name}.cpuprofile`);
        await writeFile(file, JSON.stringify(profile));
      }
      const { functions, parts } = sharesOf(profiles);
      print(`where the time of all nodes goes during ${label}, percent:`);
      for (const [name, percent] of parts.slice(0, partsTold)) print(line(name, percent));
      print('  functions by themselves:');
      for (const [name, percent] of functions.slice(0, functionsTold)) print(line(name, percent));
      return result;
    } finally {
      for (const inspector of inspectors) inspector.close();
    }
  };
}
