/** Faults that a seed put beside one another wait for a node that takes long to be back. */
import { expect, test } from 'vitest';
import type { Cluster, ClusterNode } from '../../../src/chaos/cluster.ts';
import type { Observer } from '../../../src/chaos/observer.ts';
import type { PlannedFault } from '../../../src/chaos/schedule.ts';
import { Timeline } from '../../../src/chaos/timeline.ts';

/** A node that is ready again when the test says so. */
class SlowNode {
  readonly number: number;
  readonly name: string;
  readonly address = 'here';
  readonly breakable = true;
  readonly paused = false;
  refused = false;
  alive = true;
  readonly #back = Promise.withResolvers<'ready'>();

  constructor(number: number) {
    this.number = number;
    this.name = `n${number}`;
  }

  get awake(): boolean {
    return this.alive;
  }

  async kill(): Promise<void> {
    this.alive = false;
  }

  async launch(): Promise<void> {
    this.alive = true;
  }

  expectEnd(): void {
    // What ends here is always part of the plan.
  }

  ready(): void {
    this.#back.resolve('ready');
  }

  untilReady(): Promise<'ready'> {
    return this.#back.promise;
  }
}

const fault = (number: number, atOnce: number | undefined): PlannedFault => ({
  ...{ number, seed: number, atMs: 0, forMs: 0, kind: 'kill', drawn: atOnce !== undefined, atOnce },
  target: { of: 'nodes', numbers: [number] },
  options: {} as PlannedFault['options'],
});

function timelineOf(nodes: SlowNode[]) {
  const told: string[] = [];
  const cluster = {
    nodes: nodes as unknown as ClusterNode[],
    node: (number: number) => nodes[number - 1],
    onEnd: () => undefined,
  } as unknown as Cluster;
  const observer = { leaders: () => [], keepsMajorities: () => true } as unknown as Observer;
  const timeline = new Timeline({
    ...{ cluster, observer, signal: new AbortController().signal, sinceStartMs: () => 0 },
    onFault: text => told.push(text),
    probe: () => undefined,
  });
  return { timeline, told };
}

test('at most so many are on, however long a node takes to be back', async () => {
  const nodes = [new SlowNode(1), new SlowNode(2), new SlowNode(3)];
  const { timeline } = timelineOf(nodes);
  const run = timeline.run([fault(1, 2), fault(2, 2), fault(3, 2)]);
  await expect.poll(() => timeline.active).toEqual(['kill n1', 'kill n2']);
  nodes[0]!.ready();
  await expect.poll(() => timeline.active).toEqual(['kill n2', 'kill n3']);
  nodes[1]!.ready();
  nodes[2]!.ready();
  await run;
  expect(timeline.records.map(({ number }) => number).sort()).toEqual([1, 2, 3]);
});

test('what the scenario itself puts there begins at its time', async () => {
  const nodes = [new SlowNode(1), new SlowNode(2)];
  const { timeline } = timelineOf(nodes);
  const run = timeline.run([fault(1, undefined), fault(2, undefined)]);
  await expect.poll(() => timeline.active).toEqual(['kill n1', 'kill n2']);
  for (const node of nodes) node.ready();
  await run;
});
