/** A node that has nothing to do: its memory, its supervisor's, and its share of a core. */
import { setTimeout as delay } from 'node:timers/promises';
import { processUsage } from '../../../src/worker/supervisor/processes.ts';
import { supervisorPids } from '../cluster.ts';
import type { BenchContext, Measured } from '../measure.ts';
import { mean, rounded } from '../statistics.ts';

const settleMs = 3_000;
const watchMs = 5_000;

function usageOf(pids: readonly number[]): { cpuMs: number; memoryBytes: number } {
  const usages = pids.map(pid => processUsage(pid, true));
  return {
    cpuMs: usages.reduce((sum, one) => sum + one.userCpuMs + one.systemCpuMs, 0),
    memoryBytes: usages.reduce((sum, one) => sum + one.memoryBytes, 0),
  };
}

export async function measureRest(context: BenchContext): Promise<Measured> {
  const cluster = await context.idleCluster();
  await delay(settleMs);
  const look = () =>
    cluster.nodes.map(node => ({
      node: usageOf([node.process.pid!]),
      supervisor: usageOf(supervisorPids(node)),
    }));
  const before = look();
  await context.profiled(cluster, 'rest', () => delay(watchMs));
  const after = look();
  const mib = (bytes: number): number => rounded(bytes / 1024 / 1024);
  const nodeMib = mib(mean(after.map(one => one.node.memoryBytes)));
  const supervisorMib = mib(mean(after.map(one => one.supervisor.memoryBytes)));
  const share = (which: 'node' | 'supervisor'): number =>
    mean(after.map((one, place) => one[which].cpuMs - before[place]![which].cpuMs)) / watchMs;
  const nodeCpu = rounded(share('node') * 100, 1);
  const supervisorCpu = rounded(share('supervisor') * 100, 1);
  context.progress(`at rest: ${nodeMib} + ${supervisorMib} MiB, ${nodeCpu} % of a core`);
  const note = `mean of ${cluster.nodes.length} nodes`;
  return {
    rows: [
      { id: 'rest.node', label: 'node at rest, resident', value: nodeMib, unit: 'MiB', note },
      {
        id: 'rest.supervisor',
        label: 'its supervisor, resident',
        value: supervisorMib,
        unit: 'MiB',
        note,
      },
      {
        id: 'rest.cpu',
        label: 'node at rest, share of a core',
        value: nodeCpu,
        unit: '%',
        note: `over ${watchMs / 1_000} s; its supervisor ${supervisorCpu} %`,
      },
    ],
    detail: { before, after },
  };
}
