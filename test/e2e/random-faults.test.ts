/**
 * Random faults on five nodes under real work, drawn from a seed: processes are killed and stopped,
 * a node alone, its supervisor alone, or both as when a machine crashes. Only at full size (`npm
 * run e2e`); TSCHED_E2E_SEED repeats a run as far as real processes can be made to.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FileWorkload } from '../support/file-workload.ts';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const seed = Number(process.env['TSCHED_E2E_SEED'] ?? 3);
const limitMs = 600_000;
const faults = 45;
const flags = (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0'],
  ...['--cpu', '4', '--memory', '4GiB'],
];
const tenths = (number: number): number => (number % 12 === 0 ? 80 : 5 + (number % 20));

/** Numbers below a bound, the same for the same seed (xorshift32). */
function drawer(start: number): (bound: number) => number {
  let state = Math.imul(start, 0x9e3779b1) >>> 0 || 1;
  return bound => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

function signalSupervisor(node: RealNode, ...names: NodeJS.Signals[]): void {
  const pid = node.supervisor;
  for (const name of pid === undefined ? [] : names) process.kill(pid!, name);
}

async function restart(node: RealNode): Promise<void> {
  node.launch();
  // Its shards may be without a majority until others come back.
  await node.untilReady(180_000);
}

/** Ways to fail for `forMs`, and back. */
const kinds: Record<string, (node: RealNode, forMs: number) => Promise<void>> = {
  async kill(node, forMs) {
    await node.kill();
    await delay(forMs);
    await restart(node);
  },
  async pause(node, forMs) {
    node.pause();
    await delay(forMs);
    node.resume();
  },
  async killSupervisor(node) {
    signalSupervisor(node, 'SIGKILL');
  },
  async pauseSupervisor(node, forMs) {
    const frozen = node.supervisor;
    signalSupervisor(node, 'SIGSTOP');
    await delay(forMs);
    // Its node has most likely ended it by now.
    if (node.supervisor === frozen) signalSupervisor(node, 'SIGCONT');
  },
  async crashMachine(node, forMs) {
    signalSupervisor(node, 'SIGKILL');
    await node.kill();
    await delay(forMs);
    await restart(node);
  },
};

/** Lets faults come and go, never more than two nodes being whole at the least. */
async function storm(cluster: RealCluster, draw: (bound: number) => number): Promise<void> {
  const failing = new Map<RealNode, Promise<void>>();
  const names = ['kill', 'kill', 'kill', 'pause', 'killSupervisor', 'pauseSupervisor'];
  const told: string[] = [];
  for (let fault = 0; fault < faults; fault++) {
    await delay(500 + draw(3_000));
    const whole = cluster.nodes.filter(node => !failing.has(node));
    const node = whole[draw(whole.length)];
    if (node === undefined || whole.length <= 2) continue;
    const name = [...names, 'crashMachine'][draw(names.length + 1)]!;
    const forMs = 200 + draw(draw(3) === 0 ? 30_000 : 6_000);
    told.push(`${name} ${node.name} for ${forMs} ms`);
    const over = kinds[name]!(node, forMs).then(() => void failing.delete(node));
    over.catch(() => console.error(told.join('\n')));
    failing.set(node, over);
  }
  await Promise.all(failing.values());
}

test.runIf(full)(
  `nothing is lost, doubled or left behind by ${faults} random faults with seed ${seed}`,
  async () => {
    await withCluster({ nodes: 5, shards: 16, flags }, async cluster => {
      const workload = await FileWorkload.make(cluster, { tasks: 500, tenths });
      const submitted = workload.submitAll();
      await storm(cluster, drawer(seed));
      expect(cluster.alive.map(node => node.name)).toEqual(cluster.nodes.map(node => node.name));
      await submitted;
      const rows = await workload.untilSettled(180_000);
      expect(await workload.faults(rows)).toEqual([]);
      await cluster.untilWhole();
      await until('every node has all of its resources again', async () => {
        const { nodes } = await cluster.get<{
          nodes: { running: number; queued: number; free?: { cpuMilli: number } }[];
        }>('/v1/nodes');
        return nodes.every(
          node => node.running === 0 && node.queued === 0 && node.free?.cpuMilli === 4_000,
        );
      });
    });
  },
  limitMs,
);
