/**
 * Looking at a cluster that runs already, before anything is done to it: which processes its nodes
 * are, how they could be started again, whether every node of it is known and whether it is whole.
 * Nothing is changed here.
 */
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type Restarter, readAddress } from './attached-node.ts';
import { callNode } from './calls.ts';
import {
  holderOf,
  type RunningProcess,
  readProcess,
  sharesPids,
  tellArgs,
  usesDataDir,
} from './running-process.ts';
import { until } from './until.ts';

/** A cluster that is not whole by then is not attached to. */
const wholeMs = 5_000;
const askMs = 10_000;
const nodesMax = 64;

export interface AttachOptions {
  /** Data directories of nodes on this machine, and `http://HOST:PORT` of others. */
  readonly targets: readonly string[];
  /** Asked for where no directory holds an `admin.token`. */
  readonly token: () => string | undefined;
  /** Whether `token` was given for this run, and goes before that of a directory. */
  readonly tokenGiven: boolean;
  /** Who starts a node again; found out for each unless given. */
  readonly restarter: Restarter | undefined;
}

/** A node as it was found. */
export interface FoundNode {
  readonly number: number;
  readonly id: string;
  /** The name that the cluster has for it. */
  readonly name: string;
  readonly address: string;
  /** Its own count of its starts. */
  readonly bootCount: number;
  /** Absent of one that is known by its address only. */
  readonly local?: LocalNode | undefined;
}

export interface LocalNode {
  readonly dir: string;
  readonly process: RunningProcess;
  readonly restarter: Restarter;
  /** Its command line without secrets. */
  readonly command: string;
}

export interface Attached {
  readonly nodes: readonly FoundNode[];
  readonly shards: number;
  readonly token: string;
}

/** Why a cluster cannot be attached to, and what to try. */
export class AttachRefusal extends Error {
  override readonly name = 'AttachRefusal';
  readonly suggestion: string;

  constructor(sentence: string, suggestion: string) {
    super(sentence);
    this.suggestion = suggestion;
  }
}

interface Place {
  readonly target: string;
  readonly address: string;
  readonly local?: LocalNode | undefined;
}

/** Looks at all of it. Throws an `AttachRefusal` for the first thing that stands against it. */
export async function attachTo(options: AttachOptions): Promise<Attached> {
  const { targets } = options;
  if (targets.length > nodesMax) {
    throw new AttachRefusal(
      `${targets.length} nodes are more than ${nodesMax}`,
      'Attach to fewer.',
    );
  }
  const places: Place[] = [];
  for (const target of targets) {
    places.push(/^https?:/.test(target) ? remote(target) : await look(target, options.restarter));
  }
  const token = await findToken(places, options);
  const nodes: FoundNode[] = [];
  for (const { target, address, local } of places) {
    const self = (await ask(address, token, '/v1/nodes/self')) as NodeAnswer;
    const twin = nodes.find(node => node.id === self.id);
    if (twin !== undefined) {
      throw new AttachRefusal(`${target} is ${twin.name} once more`, 'Name each node once.');
    }
    const { id, name, bootCount } = self;
    nodes.push({ number: nodes.length + 1, id, name, bootCount, address, local });
  }
  await findWhole(nodes, token);
  return { nodes, shards: await countShards(nodes[0]!.address, token), token };
}

/** Of a cluster that is whole, or is so in a moment: leaders move while all is well, too. */
async function countShards(address: string, token: string): Promise<number> {
  let why = '';
  const whole = await until(
    async () => {
      const health = (await ask(address, token, '/v1/cluster/health')) as HealthAnswer;
      const { ok, problems, shards, shardsGrowing } = health;
      why = problems.join('; ') || `${shardsGrowing} shards are growing`;
      return ok && shardsGrowing === 0 ? shards : undefined;
    },
    { limitMs: wholeMs, pollMs: 250 },
  );
  if (whole !== undefined) return whole;
  throw new AttachRefusal(
    `the cluster is not whole: ${why}`,
    'What is broken already would be laid to the faults; wait for `tsched cluster health --wait`.',
  );
}

interface NodeAnswer {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly httpAddress: string;
  readonly bootCount: number;
}

interface HealthAnswer {
  readonly ok: boolean;
  readonly shards: number;
  readonly shardsGrowing: number;
  readonly problems: readonly string[];
}

function remote(target: string): Place {
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (url?.protocol !== 'http:' || url.port === '' || url.pathname !== '/') {
    throw new AttachRefusal(
      `\`${target}\` is not the address of a node`,
      'Give the data directory of a node on this machine, or http://HOST:PORT of another one.',
    );
  }
  return { target, address: url.host };
}

/** A node of this machine, from its data directory. */
async function look(target: string, restarter: Restarter | undefined): Promise<Place> {
  const dir = await realpath(target).catch(() => undefined /* Said below. */);
  if (dir === undefined) {
    throw new AttachRefusal(
      `there is no directory ${target}`,
      'Give the data directory of a node.',
    );
  }
  const found = await trySystem(target, () => findProcess(dir));
  const { args, unit } = found;
  if (args.includes('--accept-data-loss')) {
    throw new AttachRefusal(
      `the node of ${target} was started with --accept-data-loss, and would be again`,
      'Start it without that first.',
    );
  }
  const address = await trySystem(target, async () => readAddress(dir));
  if (address === '') {
    throw new AttachRefusal(`the node of ${target} does not take tasks yet`, 'Try again later.');
  }
  const local = {
    ...{ dir, process: found, command: tellArgs(args) },
    restarter: restarter ?? (unit === undefined ? ('self' as const) : ('manager' as const)),
  };
  return { target, address, local };
}

/** What the system refuses is most likely another user's. */
async function trySystem<T>(target: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    throw new AttachRefusal(
      `the node of ${target} is of another user: ${message}`,
      'Be that user, or root.',
    );
  }
}

async function findProcess(dir: string): Promise<RunningProcess> {
  const pid = holderOf(dir);
  const found = pid === undefined ? undefined : readProcess(pid);
  if (found === undefined) {
    throw new AttachRefusal(
      `no process of this machine has the store of ${dir} open`,
      'Start the node; where it runs in a container, run this inside of it.',
    );
  }
  if (!usesDataDir(found, dir)) {
    throw new AttachRefusal(
      `process ${found.pid}, which has ${dir} open, is not \`tsched node start --data-dir\`: ` +
        tellArgs(found.args).slice(0, 200),
      'Only a process of one node can be killed and started again for it.',
    );
  }
  if (!sharesPids(found.pid)) {
    throw new AttachRefusal(
      `process ${found.pid} of ${dir} runs in a container`,
      'Run this inside of it.',
    );
  }
  return found;
}

async function findToken(places: readonly Place[], options: AttachOptions): Promise<string> {
  const given = options.tokenGiven ? options.token() : undefined;
  if (given !== undefined) return given;
  for (const { local } of places) {
    if (local === undefined) continue;
    const text = await readFile(join(local.dir, 'admin.token'), 'utf8').catch(
      () => '' /* It is in the first node's directory only, and may be of another user. */,
    );
    if (text.trim() !== '') return text.trim();
  }
  const usual = options.token();
  if (usual !== undefined) return usual;
  throw new AttachRefusal(
    'there is no token: none of the directories holds an admin.token',
    'Give --token-file, or TSCHED_TOKEN.',
  );
}

async function ask(address: string, token: string, path: string): Promise<unknown> {
  let answer: Awaited<ReturnType<typeof callNode>>;
  try {
    answer = await callNode(address, token, path, { limitMs: askMs });
  } catch (error) {
    throw new AttachRefusal(
      `${address} does not answer: ${(error as Error).message}`,
      'Is it the HTTP address of a node that runs?',
    );
  }
  if (answer.status === 200) return answer.body;
  const detail = (answer.body as { detail?: string } | undefined)?.detail ?? '';
  throw new AttachRefusal(
    `${address} answers ${path} with ${answer.status} ${detail}`.trim(),
    answer.status === 401 || answer.status === 403
      ? 'Give the token of an administrator: --token-file, or TSCHED_TOKEN.'
      : 'Try again later.',
  );
}

/** A node that nobody asks would look as if its shards had no leader. */
async function findWhole(nodes: readonly FoundNode[], token: string): Promise<void> {
  const { nodes: known } = (await ask(nodes[0]!.address, token, '/v1/nodes')) as {
    readonly nodes: readonly NodeAnswer[];
  };
  const foreign = nodes.find(node => !known.some(one => one.id === node.id));
  if (foreign !== undefined) {
    throw new AttachRefusal(
      `${foreign.name} at ${foreign.address} is of another cluster than ${nodes[0]!.name}`,
      'Attach to the nodes of one cluster.',
    );
  }
  const missing = known.filter(
    one => !['dead', 'removed'].includes(one.state) && !nodes.some(node => node.id === one.id),
  );
  if (missing.length === 0) return;
  const names = missing.map(({ name, httpAddress }) => `${name} (${httpAddress})`).join(', ');
  throw new AttachRefusal(
    `the cluster has nodes that were not named: ${names}`,
    'Name all of them, those of other machines by --attach http://HOST:PORT: who leads what is ' +
      'seen only where every node is asked.',
  );
}
