/** The verbs of a node, put together from the parts that do them. */
import { assert } from '../model/assert.ts';
import type { Actor } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import type { TaskId } from '../model/ids.ts';
import type { NodeApi } from '../ports/node-api.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import type { WorkflowApi } from '../ports/workflow-api.ts';
import { encodeJoinToken } from '../registry/join-token.ts';
import { Administration } from './administration.ts';
import { bearerOf } from './bearer.ts';
import type { ClusterReads } from './cluster-reads.ts';
import type { NodeContext } from './context.ts';
import { controlTasks } from './control-tasks.ts';
import { DeadLetterDesk } from './dead-letter-desk.ts';
import type { EventsFeed } from './events-feed.ts';
import { HistoryExport } from './history-export.ts';
import type { IdDraw } from './id-draw.ts';
import type { NodePorts, NodeSettings } from './node-parts.ts';
import { placementVerbs } from './placement-verbs.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Reservations } from './reservations.ts';
import { Schedules } from './schedules.ts';
import { sha256Hex } from './sha256.ts';
import type { ShardAccess } from './shard-access.ts';
import type { ShardLeaders } from './shard-leaders.ts';
import { askedAgain } from './submit-parts.ts';
import { TaskList } from './task-list.ts';
import { TaskOutput } from './task-output.ts';
import type { TaskReads } from './task-reads.ts';
import type { TaskWrites } from './task-writes.ts';
import { templateVerbs } from './template-verbs.ts';
import type { TenantDesk } from './tenant-desk.ts';

/** A join token admits nodes for this long. */
const joinTokenMs = 24 * 3_600_000;

export interface ApiParts {
  readonly context: NodeContext;
  readonly settings: NodeSettings;
  readonly clusterId: string;
  readonly registry: RegistryClient;
  readonly writes: TaskWrites;
  readonly leaders: ShardLeaders;
  readonly access: ShardAccess;
  readonly draw: IdDraw;
  readonly reads: TaskReads;
  readonly ports: Pick<NodePorts, 'store' | 'runner'>;
  readonly shards: () => number;
  readonly tenants: TenantDesk;
  readonly feed: EventsFeed;
  readonly workflows: WorkflowApi;
  readonly cluster: ClusterReads;
  readonly reservations: Reservations;
  readonly ready: () => boolean;
  readonly stopAsked: (options: { readonly endTasks: boolean }) => void;
  /** So many submits were acknowledged. */
  readonly submitted: (count: number) => void;
  readonly metrics: NodeApi['metrics'];
}

export function createApi(parts: ApiParts): NodeApi {
  const { context, access, ports, shards, writes, reads, feed, cluster } = parts;
  const list = new TaskList({ context, access, store: ports.store, shards });
  const history = new HistoryExport({ context, access, store: ports.store, shards });
  const output = new TaskOutput({
    context,
    runner: ports.runner,
    get: id => reads.get(id),
    nodeOf: id => cluster.nodeName(id),
  });
  const administration = new Administration(parts);
  const { gate } = parts.tenants;
  const deadLetters = new DeadLetterDesk({ ...parts, gate });
  const submit: NodeApi['submit'] = async (requests, actor) => {
    const admit: NodeApi['submit'] = (allowed, by) => writes.submit(allowed, by);
    const replies = await gate.submit(requests, actor, admit);
    parts.submitted(replies.filter(reply => reply.ok).length);
    return replies;
  };
  return {
    submit,
    schedules: new Schedules(parts),
    metrics: parts.metrics,
    authenticate: token => authenticate(parts, token),
    resolve: (text, tenant, purpose) => list.resolve(text, tenant, purpose),
    get: (id, consistency) => reads.get(id, consistency),
    spec: id => reads.spec(id),
    list: query => list.list(query),
    history: query => history.page(query),
    cancel: (ids, reason, actor) => writes.change(ids, { kind: 'cancel', reason }, actor),
    control: (ids, asked, actor) => controlTasks({ ...parts, gate }, ids, asked, actor),
    plan: tasks => writes.plan(tasks, spec => gate.mayNot(spec)),
    ...placementVerbs(parts),
    ...templateVerbs(parts),
    wait: (id, timeoutMs, signal) => reads.wait(id, timeoutMs, signal),
    replay: (ids, actor) => deadLetters.replay(ids, actor),
    purge: (ids, actor) => deadLetters.purge(ids, actor),
    retry: (id, actor) => retry(reads, submit, id, actor),
    output: query => output.output(query),
    explain: id => reads.explain(id),
    workflows: parts.workflows,
    events: (cursor, filter, signal) => feed.events(cursor, filter, signal),
    nodes: options => cluster.nodes(options),
    node: idOrName => cluster.node(idOrName),
    drainNode: (idOrName, options, token) => administration.drain(idOrName, options, token),
    removeNode: (idOrName, options, token) => administration.remove(idOrName, options, token),
    moves: without => cluster.moves(without),
    shards: () => cluster.shards(),
    replicas: () => cluster.replicas(),
    health: () => ({
      ready: parts.ready(),
      node: parts.context.nodeId,
      name: parts.settings.name,
      clusterId: parts.clusterId,
      version: parts.settings.version,
    }),
    clusterHealth: () => cluster.health(),
    settings: () => administration.settings(),
    changeSettings: (values, token) => administration.changeSettings(values, token),
    tenancy: parts.tenants.tenancy,
    tiers: () => parts.registry.tiers(),
    setTier: (tier, changes, token) => administration.setTier(tier, changes, token),
    reservations: tenant => parts.reservations.list(tenant),
    reserve: (ask, token) => parts.reservations.create(ask, token),
    releaseReservation: (name, token) => parts.reservations.release(name, token),
    joinToken: () => joinToken(parts),
    stopNode: async options => parts.stopAsked(options),
  };
}

function authenticate(parts: ApiParts, token: string): ReturnType<NodeApi['authenticate']> {
  const machine = parts.registry.machine();
  if (machine?.cluster() === undefined) {
    throw new TschedError('starting', 'this node has not joined its cluster yet');
  }
  const record = bearerOf(machine, token, parts.context.clock.wallMs());
  if (record === undefined) return undefined;
  return { name: record.name, tenant: record.tenant, role: record.role };
}

async function retry(
  reads: TaskReads,
  submit: NodeApi['submit'],
  id: TaskId,
  actor: Actor,
): Promise<SubmitReply> {
  const view = await reads.get(id);
  if (view.settledAtMs === undefined) {
    throw new TschedError('notSettled', `task ${id} is ${view.state}`);
  }
  const spec = askedAgain(await reads.spec(id));
  if (spec.gang !== undefined) {
    throw new TschedError(
      'badRequest',
      `task ${id} is one of a gang of ${spec.gang}, which runs together or not at all: submit the ` +
        'gang again',
    );
  }
  const { arrayId, arrayIndex } = view;
  const [reply] = await submit([{ spec, retryOf: id, arrayId, arrayIndex }], actor);
  assert(reply !== undefined, 'a submit has a reply');
  return reply;
}

/** A token with a secret of its own, known to the registry by its hash. */
async function joinToken(parts: ApiParts): Promise<string> {
  const { random, clock, peers, nodeId } = parts.context;
  const secret = new Uint8Array(16);
  const view = new DataView(secret.buffer);
  for (let offset = 0; offset < 16; offset += 4) view.setUint32(offset, random.uint32());
  const expiresAtMs = clock.wallMs() + joinTokenMs;
  const sha256 = sha256Hex(secret);
  await parts.registry.must({ kind: 'putJoinSecret', secret: { sha256, expiresAtMs } });
  const others = (parts.registry.machine()?.nodes() ?? [])
    .filter(node => node.id !== nodeId && node.state === 'up')
    .flatMap(node => node.addresses.slice(0, 1));
  return encodeJoinToken({
    version: 1,
    clusterId: parts.clusterId,
    addresses: [...peers.addresses(), ...others].slice(0, 8),
    networkKey: parts.settings.networkKey,
    secret,
  });
}
