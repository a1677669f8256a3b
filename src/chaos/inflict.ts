/**
 * How each kind of fault is done to nodes and undone: begin, let it last, heal. What happened is
 * told in short sentences, for the report. A fault that cannot be done throws; whatever it had
 * begun is healed first.
 */
import type { Cluster, ClusterNode, Heal } from './cluster.ts';
import { type Draw, makeDraw } from './draw.ts';
import type { FaultKind } from './fault-kinds.ts';
import type { LinkFault } from './links.ts';
import type { PlannedFault } from './schedule.ts';
import { pause, until } from './until.ts';

/** The exit code of a node whose store is at fault. */
const storageFaultCode = 74;
const endsMs = 10_000;

export interface FaultWorld {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  /** Faults of the network that are on. */
  readonly links: Set<LinkFault>;
  /** Told whenever the state of a node changes. */
  readonly onChange: () => void;
}

interface Hit {
  readonly fault: PlannedFault;
  readonly nodes: readonly ClusterNode[];
  readonly draw: Draw;
  readonly tell: (what: string) => void;
}

type Inflict = (world: FaultWorld, hit: Hit) => Promise<void>;

/** Does the fault to the nodes, whole: resolves when it is over and healed. */
export async function inflict(
  world: FaultWorld,
  fault: PlannedFault,
  nodes: readonly ClusterNode[],
  tell: (what: string) => void,
): Promise<void> {
  const hit: Hit = { fault, nodes, draw: makeDraw(fault.seed, 3), tell };
  await ways[fault.kind](world, hit);
}

/** Starts a node again and waits for it; an orderly refusal over its store is remembered. */
export async function bringBack(
  world: FaultWorld,
  node: ClusterNode,
  tell: (what: string) => void,
  flags: readonly string[] = [],
): Promise<void> {
  if (node.refused) return;
  // Whoever else keeps it may have started it already; then it is only waited for.
  if (!node.alive) {
    await node.launch(flags);
    node.expectEnd();
    world.onChange();
  }
  const state = await node.untilReady(world.signal);
  if (state === 'ready') {
    node.expectEnd(false);
    world.onChange();
    return;
  }
  if (state === 'late') throw new Error(`${node.name} does not take tasks:\n${node.tail()}`);
  const lines = node.tail().split('\n');
  const last = lines.findLast(line => line.startsWith('error:')) ?? lines.at(-1) ?? '';
  if (state !== storageFaultCode) {
    throw new Error(`${node.name} ended with ${state} while it started: ${last}`);
  }
  node.refused = true;
  world.onChange();
  tell(`${node.name} refused to start, exit code ${storageFaultCode}: ${last.slice(0, 300)}`);
}

const each = (nodes: readonly ClusterNode[], step: (node: ClusterNode) => Promise<void>) =>
  Promise.all(nodes.map(step));

/** Ends nodes by `end`, lets the fault last, and starts them again. */
const downFor =
  (end: (node: ClusterNode, hit: Hit) => Promise<void>): Inflict =>
  async (world, hit) => {
    await each(hit.nodes, node => end(node, hit));
    world.onChange();
    await pause(hit.fault.forMs, world.signal);
    await each(hit.nodes, node => bringBack(world, node, hit.tell));
  };

async function stopInOrder(node: ClusterNode, { tell }: Hit): Promise<void> {
  if (!(await node.stop())) tell(`${node.name} did not stop in time and was killed`);
}

/** Holds links faulty for the length of the fault. */
const ofNetwork: Inflict = async ({ cluster, links, signal, onChange }, { fault, nodes, tell }) => {
  const network = cluster.links;
  if (network === undefined) throw new Error('the nodes have no network of their own');
  const link = { kind: fault.kind, nodes: nodes.map(node => node.number), options: fault.options };
  links.add(link);
  try {
    const before = await network.apply([...links]);
    onChange();
    await pause(fault.forMs, signal);
    links.delete(link);
    const after = await network.apply([...links]);
    const dropped = after.dropped - before.dropped;
    const doubled = after.doubled - before.doubled;
    tell(`the switch dropped ${dropped} packets and doubled ${doubled}`);
  } finally {
    links.delete(link);
    onChange();
  }
};

const ways: Readonly<Record<FaultKind, Inflict>> = {
  kill: downFor(node => node.kill()),
  stop: downFor(stopInOrder),
  restart: downFor(stopInOrder),
  crashMachine: downFor(async node => {
    await Promise.all([node.kill(), node.killSupervisor()]);
  }),
  async rollingRestart(world, hit) {
    for (const node of hit.nodes) {
      await stopInOrder(node, hit);
      world.onChange();
      await bringBack(world, node, hit.tell);
    }
  },
  async restartStorm(world, { fault, nodes, tell }) {
    const endMs = performance.now() + fault.forMs;
    let rounds = 0;
    while (performance.now() < endMs) {
      rounds++;
      await each(nodes, node => node.kill());
      await each(nodes, async node => {
        await node.launch();
        node.expectEnd();
      });
      world.onChange();
      await pause(fault.options.everyMs, world.signal);
    }
    tell(`killed ${rounds} times`);
    await each(nodes, node => node.kill());
    await each(nodes, node => bringBack(world, node, tell));
  },
  async pause({ signal, onChange }, { fault, nodes }) {
    await each(nodes, node => node.pause());
    onChange();
    try {
      await pause(fault.forMs, signal);
    } finally {
      await each(nodes, node => node.resume());
      onChange();
    }
  },
  async killSupervisor(_world, { nodes, tell }) {
    await each(nodes, async node => {
      if (!(await node.killSupervisor())) tell(`${node.name} had no supervisor to be killed`);
    });
  },
  pauseSupervisor,
  isolate: ofNetwork,
  partition: ofNetwork,
  oneWay: ofNetwork,
  bridge: ofNetwork,
  delay: ofNetwork,
  loss: ofNetwork,
  duplicate: ofNetwork,
  slowLink: ofNetwork,
  diskFull,
  slowDisk,
  async wipe(world, hit) {
    await each(hit.nodes, async node => {
      await Promise.all([node.kill(), node.killSupervisor()]);
    });
    world.onChange();
    await pause(hit.fault.forMs, world.signal);
    for (const node of hit.nodes) {
      await node.wipe();
      await bringBack(world, node, hit.tell, ['--join', await world.cluster.joinToken()]);
      hit.tell(`it came back as ${node.name}, a new node`);
    }
  },
  async flipBytes(world, hit) {
    const before = await Promise.all(hit.nodes.map(node => storeOf(world, node)));
    await each(hit.nodes, node => node.kill());
    world.onChange();
    for (const node of hit.nodes) {
      const places = await node.flipBytes(hit.fault.options.bytes, hit.draw);
      hit.tell(`flipped bits: ${places.join(', ')}`);
    }
    await pause(hit.fault.forMs, world.signal);
    for (const [at, node] of hit.nodes.entries()) {
      await bringBack(world, node, hit.tell);
      if (node.refused) continue;
      const rebuilt = (await storeOf(world, node)) !== before[at];
      hit.tell(`${node.name} ${rebuilt ? 'has its store rebuilt' : 'started all the same'}`);
    }
  },
  async clockJump({ signal }, { fault, nodes, tell }) {
    const { jumpMs } = fault.options;
    await each(nodes, node => node.moveClock(jumpMs, true));
    tell(`the clock went ${jumpMs < 0 ? 'back' : 'ahead'} by ${Math.abs(jumpMs) / 1_000} s`);
    try {
      await pause(fault.forMs, signal);
    } finally {
      await each(nodes, node => node.moveClock(0, false));
    }
  },
  outOfMemory,
  async workerOutOfMemory({ signal }, { fault, nodes, tell }) {
    for (const node of nodes) {
      await node.starveSupervisor(fault.options.limitBytes, signal);
      tell(`the kernel ended the supervisor of ${node.name}`);
    }
  },
  powerCut,
};

/** Which store a node has, by its own word; `undefined` where it does not say. */
async function storeOf({ cluster }: FaultWorld, node: ClusterNode): Promise<string | undefined> {
  try {
    const { body } = await cluster.call(node, `/v1/nodes/${node.name}`);
    return (body as { storeId?: string }).storeId;
  } catch {
    // Not in time: then it is not known.
    return undefined;
  }
}

/** Cuts the power of all nodes at once; whoever submits meanwhile is answered by nobody. */
async function powerCut(world: FaultWorld, { fault, tell }: Hit): Promise<void> {
  const { power, nodes } = world.cluster;
  if (power === undefined) throw new Error('the nodes are on a machine whose power stays on');
  for (const node of nodes) node.expectEnd();
  await power.cut(tell);
  world.onChange();
  await pause(fault.forMs, world.signal);
  const beganMs = performance.now();
  await power.restore(tell);
  await each(nodes, node => bringBack(world, node, tell));
  tell(
    `every node took tasks ${Math.round((performance.now() - beganMs) / 100) / 10} s after the power was back`,
  );
}

async function pauseSupervisor({ signal }: FaultWorld, { fault, nodes, tell }: Hit) {
  const frozen: { readonly node: ClusterNode; readonly resume: () => Promise<boolean> }[] = [];
  try {
    for (const node of nodes) {
      const resume = await node.pauseSupervisor();
      if (resume === undefined) tell(`${node.name} had no supervisor to be stopped`);
      else frozen.push({ node, resume });
    }
    await pause(fault.forMs, signal);
  } finally {
    for (const { node, resume } of frozen) {
      if (!(await resume())) tell(`${node.name} had replaced its supervisor by then`);
    }
  }
}

async function diskFull(world: FaultWorld, { fault, nodes, tell }: Hit): Promise<void> {
  // It may end, with 74: that is what was promised.
  for (const node of nodes) node.expectEnd();
  for (const node of nodes) {
    const bytes = await node.fillDisk();
    tell(`${Math.round(bytes / 1_048_576)} MiB of ballast left no byte free on ${node.name}`);
  }
  world.onChange();
  try {
    await pause(fault.forMs, world.signal);
  } finally {
    for (const node of nodes) await node.emptyDisk();
  }
  for (const node of nodes) {
    tell(node.alive ? `${node.name} went on all the time` : `${node.name} ended: ${node.howEnded}`);
    if (!node.alive && node.howEnded !== `exit code ${storageFaultCode}`) {
      throw new Error(`${node.name} ended with ${node.howEnded}, not ${storageFaultCode}`);
    }
    node.expectEnd(false);
    await bringBack(world, node, tell);
  }
}

async function slowDisk(world: FaultWorld, { fault, nodes }: Hit): Promise<void> {
  const heals: Heal[] = [];
  try {
    for (const node of nodes) heals.push(await node.slowSyncs(fault.options.delayMs));
    await pause(fault.forMs, world.signal);
  } finally {
    for (const heal of heals) await heal();
  }
}

async function outOfMemory(world: FaultWorld, { fault, nodes, tell }: Hit): Promise<void> {
  const beganMs = performance.now();
  const undo: Heal[] = [];
  try {
    for (const node of nodes) {
      node.expectEnd();
      undo.push(await node.limitMemory(fault.options.limitBytes));
    }
    const all = (): boolean => nodes.every(node => !node.alive);
    const limitMs = Math.max(endsMs, fault.forMs);
    if ((await until(all, { limitMs, signal: world.signal })) !== true) {
      throw new Error('the kernel did not end it');
    }
    world.onChange();
    for (const node of nodes) tell(`${node.name} ended: ${node.howEnded}`);
    const leftMs = fault.forMs - (performance.now() - beganMs);
    if (leftMs > 0) await pause(leftMs, world.signal);
  } finally {
    for (const node of nodes) node.expectEnd(false);
    for (const step of undo) await step();
  }
  for (const node of nodes) await bringBack(world, node, tell);
}
