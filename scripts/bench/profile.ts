/**
 * CPU profiles of all nodes over the time that is measured: written as files that browsers' developer
 * tools open, and told as a list of the functions that cost most themselves.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchCluster } from './cluster.ts';
import { Inspector } from './inspector.ts';
import { rounded } from './statistics.ts';

const samplingMicros = 500;
const told = 25;

interface ProfileNode {
  readonly id: number;
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

/** Share of all samples, in percent, by function; what waits for something to do is left out. */
export function selfShares(profiles: readonly Profile[]): [name: string, percent: number][] {
  const byName = new Map<string, number>();
  let total = 0;
  for (const profile of profiles) {
    const names = new Map(profile.nodes.map(node => [node.id, nameOf(node)]));
    for (const [place, sample] of profile.samples.entries()) {
      const micros = profile.timeDeltas[place] ?? 0;
      const name = names.get(sample) ?? '?';
      total += micros;
      byName.set(name, (byName.get(name) ?? 0) + micros);
    }
  }
  return [...byName]
    .map(([name, micros]): [string, number] => [name, rounded((100 * micros) / total, 2)])
    .sort((left, right) => right[1] - left[1]);
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  // The last parts say enough: a room and a file, or a package and a file.
  const file = url.replace(/^.*\/(dist|node_modules)\//, '');
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
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
      print(`what costs most during ${label}, percent of the time of all nodes:`);
      for (const [name, percent] of selfShares(profiles).slice(0, told)) {
        print(`  ${percent.toFixed(2).padStart(6)}  ${name}`);
      }
      return result;
    } finally {
      for (const inspector of inspectors) inspector.close();
    }
  };
}
