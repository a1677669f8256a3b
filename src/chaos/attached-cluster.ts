/**
 * A cluster that somebody else started, for the time of a run. What it was before it is afterwards:
 * every node that ran runs, whatever became of the run. Tasks of others are not touched; those of
 * the run are known by a label and keys that no other run has.
 */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attached, FoundNode } from './attach.ts';
import { findAttachedLacks } from './attached-lacks.ts';
import { AttachedNode } from './attached-node.ts';
import { callNode, type EventsFrom, openEvents } from './calls.ts';
import type {
  Cluster,
  ClusterNode,
  ClusterSettings,
  ClusterSource,
  ClusterTraits,
  TaskFiles,
} from './cluster.ts';
import type { UnexpectedEnd } from './history.ts';
import { seesFile } from './running-process.ts';
import { SeenNode } from './seen-node.ts';
import { until } from './until.ts';

const wholeMs = 90_000;

/** The cluster that was looked at. */
export const attachedClusters = (attached: Attached): ClusterSource => ({
  findLacks: (kinds, scenario) => findAttachedLacks(kinds, scenario, attached),
  prepare: async settings => new AttachedCluster(settings, attached),
});

class AttachedCluster implements Cluster {
  readonly nodes: readonly SeenNode[];
  readonly shards: number;
  readonly unexpectedEnds: UnexpectedEnd[] = [];
  readonly links = undefined;
  readonly power = undefined;
  readonly lookEveryMs = 150;
  readonly retryEveryMs = 100;
  readonly openMax = 500;
  readonly runKey = `chaos-${randomBytes(8).toString('hex')}`;
  readonly #settings: ClusterSettings;
  readonly #attached: Attached;
  readonly #unseen = new Set<string>();
  #say: (text: string) => void = () => undefined;
  #dir = '';
  onEnd: () => void = () => undefined;

  constructor(settings: ClusterSettings, attached: Attached) {
    this.#settings = settings;
    this.#attached = attached;
    this.shards = attached.shards;
    this.nodes = attached.nodes.map(found => this.#nodeOf(found));
  }

  #nodeOf({ number, address, local }: FoundNode): SeenNode {
    if (local === undefined) return new SeenNode({ number, address });
    return new AttachedNode({
      ...{ number, address, dir: local.dir, process: local.process, restarter: local.restarter },
      onEnd: (node, how, asked) => this.#onEnd(node, how, asked),
      say: text => this.#say(text),
    });
  }

  get #local(): AttachedNode[] {
    return this.nodes.filter(node => node instanceof AttachedNode);
  }

  get traits(): ClusterTraits {
    const unseen = [...this.#unseen];
    const named = this.#attached.nodes.map(tellNode);
    const notes = [
      `The cluster was there before and stays: ${named.join('; ')}.`,
      `Tasks of this run have the label chaos=${this.runKey}; its schedules were deleted.`,
    ];
    if (unseen.length > 0) {
      notes.push(
        `Attempts on ${unseen.join(', ')} leave no trace that can be read here: that no two lived ` +
          'at once, and that they ended as recorded, was checked for those on the other nodes only.',
      );
    }
    return { attached: true, unseen, notes };
  }

  #onEnd(node: AttachedNode, how: string, asked: boolean): void {
    this.onEnd();
    if (asked) return;
    const last = node.tail().split('\n').at(-1) ?? '';
    const atMs = this.#settings.sinceStartMs();
    this.unexpectedEnds.push({ node: node.name, atMs, how: `${how}; ${last}` });
  }

  node(number: number): ClusterNode {
    return this.nodes[number - 1]!;
  }

  async begin(say: (text: string) => void): Promise<void> {
    this.#say = say;
    for (const found of this.#attached.nodes) say(tellNode(found));
    for (const node of this.#local) node.begin();
  }

  call(node: ClusterNode, path: string, options: { body?: unknown; limitMs?: number } = {}) {
    return callNode(node.address, this.#attached.token, path, options);
  }

  events(node: ClusterNode, from: EventsFrom): Promise<Response> {
    return openEvents(node.address, this.#attached.token, from);
  }

  async joinToken(): Promise<string> {
    throw new Error('no node joins a cluster that was attached to');
  }

  get #log(): string {
    return join(this.#dir, 'attempts.log');
  }

  async layTaskFiles(program: string): Promise<TaskFiles> {
    this.#dir = await mkdtemp(join(tmpdir(), 'tsched-chaos-'));
    await writeFile(this.#log, '', { mode: 0o600 });
    await this.#letWrite();
    for (const { name, local } of this.#attached.nodes) {
      if (local === undefined || !seesFile(local.process.pid, this.#log)) this.#unseen.add(name);
    }
    if (this.#unseen.size === this.nodes.length) {
      throw new Error(
        `the tasks of no node can write ${this.#log}: they see another ${tmpdir()}; say TMPDIR`,
      );
    }
    // By value: on other machines there is no such file.
    return { command: ['/bin/sh', '-c', program, 'chaos'], log: this.#log };
  }

  /** The users of the nodes may write the log; of others nobody may read it or find it. */
  async #letWrite(): Promise<void> {
    const own = process.geteuid?.() ?? 0;
    const owners = [...new Set(this.#local.map(node => node.image.owner.uid))];
    const others = owners.filter(uid => uid !== own && uid !== 0);
    if (others.length === 0) return;
    if (others.length === 1 && owners.every(uid => uid === others[0] || uid === 0)) {
      await chown(this.#log, others[0]!, -1);
      await chown(this.#dir, others[0]!, -1);
      return;
    }
    await chmod(this.#dir, 0o711);
    await chmod(this.#log, 0o622);
  }

  readTaskLog(): Promise<string> {
    return readFile(this.#log, 'utf8');
  }

  async end(inOrder: boolean, say: (text: string) => void): Promise<string[]> {
    say('leaving the cluster as it was');
    const told: string[] = [];
    for (const node of this.#local) {
      node.expectEnd();
      await node.resume();
    }
    await Promise.all(
      this.#local.map(async node => {
        const how = await this.#bringBack(node);
        if (how !== undefined) told.push(how);
      }),
    );
    for (const node of this.#local) node.leave();
    if (this.#dir !== '') await rm(this.#dir, { recursive: true, force: true, maxRetries: 3 });
    if (inOrder) await this.#noteStarts();
    if (told.length === 0 && inOrder && !(await this.#untilWhole())) {
      told.push('the cluster is not whole: `tsched cluster health` says why');
    }
    if (told.length === 0) say('every node runs that ran before');
    return told;
  }

  /** Nobody here sees a node of another machine end; that it was started again, it says itself. */
  async #noteStarts(): Promise<void> {
    for (const { number, bootCount, local } of this.#attached.nodes) {
      if (local !== undefined) continue;
      const node = this.node(number);
      const say = (how: string): void => {
        const atMs = this.#settings.sinceStartMs();
        this.unexpectedEnds.push({ node: node.name, atMs, how });
      };
      try {
        const { body } = await this.call(node, '/v1/nodes/self');
        const now = (body as { bootCount: number }).bootCount;
        if (now !== bootCount) say(`it was started ${now - bootCount} times since the run began`);
      } catch (error) {
        say(`it does not answer any more: ${(error as Error).message}`);
      }
    }
  }

  /** What keeps a node from running again; nothing where it does. */
  async #bringBack(node: AttachedNode): Promise<string | undefined> {
    try {
      if (!node.alive) await node.launch();
      const state = await node.untilReady();
      if (state === 'ready') return undefined;
      return `${node.name} (${node.dir}) does not run (${state}): ${node.tail().slice(-300)}`;
    } catch (error) {
      return `${node.name} (${node.dir}) does not run: ${(error as Error).message}`;
    }
  }

  async #untilWhole(): Promise<boolean> {
    const isWhole = async (): Promise<boolean> => {
      const node = this.nodes.find(one => one.awake);
      if (node === undefined) return false;
      try {
        const { body } = await this.call(node, '/v1/cluster/health');
        return (body as { ok: boolean }).ok;
      } catch {
        // Not answered: asked again.
        return false;
      }
    };
    return (await until(isWhole, { limitMs: wholeMs, pollMs: 200 })) === true;
  }
}

function tellNode({ number, name, address, local }: FoundNode): string {
  const what =
    local === undefined
      ? 'known by its address only'
      : `process ${local.process.pid}, ${local.dir}, started again by ` +
        (local.restarter === 'self' ? 'this run' : (local.process.unit ?? 'its manager'));
  return `n${number} is ${name} at ${address}, ${what}`;
}
