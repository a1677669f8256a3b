/** Whether a cluster is well, in numbers and in sentences that say what to do. */
import { formatInstant } from '../model/instant.ts';
import type { PauseView } from '../model/task.ts';
import { formatDuration } from '../model/time.ts';
import type { ClusterHealth, NodeSummary, ShardSummary } from '../ports/node-api.ts';

export interface HealthInput {
  readonly nodes: readonly NodeSummary[];
  readonly shards: readonly ShardSummary[];
  /** Somebody leads the registry. */
  readonly registryLed: boolean;
  /** It is replicated as it should be, as far as this node can tell. */
  readonly registryGrown: boolean;
  /** What the cluster has: some nodes may read more. */
  readonly clusterVersion: number;
  readonly deadAfterMs: number;
  /** Of the placement of the whole cluster. */
  readonly paused?: PauseView | undefined;
  /** Nodes that had better not lead. */
  readonly unfit: readonly { readonly name: string; readonly why: string }[];
  /** Nodes whose program speaks another version. */
  readonly foreign: readonly { readonly name: string; readonly why: string }[];
}

export function healthOf(input: HealthInput): ClusterHealth {
  const { nodes, shards } = input;
  const inState = (state: ShardSummary['state']): ShardSummary[] =>
    shards.filter(shard => shard.state === state);
  const leaderless = inState('noLeader');
  const growing = inState('growing');
  const lagging = inState('underReplicated');
  const problems = nodeProblems(input);
  if (leaderless.length > 0) {
    problems.push(
      `${leaderless.length} of ${shards.length} shards have no leader: their tasks stand still until a majority of their nodes is back`,
    );
  }
  if (!input.registryLed) problems.push('the registry has no leader: no node can join or leave');
  if (growing.length > 0) problems.push(`${growing.length} shards are still being replicated`);
  if (lagging.length > 0) {
    problems.push(`${lagging.length} shards have a replica that lags or is gone`);
  }
  const byState: Record<string, number> = {};
  for (const { state } of nodes) byState[state] = (byState[state] ?? 0) + 1;
  return {
    ok: problems.length === 0 && input.registryGrown,
    nodes: nodes.length,
    nodesUp: byState['up'] ?? 0,
    nodesByState: byState,
    shards: shards.length,
    shardsWithoutLeader: leaderless.map(shard => shard.shard),
    shardsGrowing: growing.length,
    replication: Math.min(...shards.map(shard => shard.voters.length)),
    clusterVersion: input.clusterVersion,
    problems: [...problems, ...pauseNote(input), ...notes(nodes), ...holdersBack(input)],
  };
}

function nodeProblems({
  nodes,
  clusterVersion,
  deadAfterMs,
  unfit,
  foreign,
}: HealthInput): string[] {
  const suspected = nodes.filter(node => node.state === 'suspected');
  const away = nodes.filter(node => node.state === 'draining' && !node.reachable);
  const present = nodes.filter(node => node.state !== 'dead');
  const frozen = (suspected.length + away.length) * 3 > present.length;
  const limit = formatDuration(deadAfterMs);
  const next = frozen
    ? 'with more than a third of the nodes silent, none is declared dead'
    : `silent for ${limit}, it is declared dead and replaced where another node can take over`;
  return [
    ...suspected.map(({ name }) => `node ${name} cannot be reached: start it again; ${next}`),
    ...away.map(({ name }) => `node ${name} is draining and cannot be reached`),
    ...foreign.map(({ name, why }) => `node ${name} cannot be understood: ${why}`),
    ...nodes
      .filter(node => node.clusterVersion < clusterVersion)
      .map(
        ({ name, version }) =>
          `node ${name} is too old for the cluster: upgrade it (program ${version})`,
      ),
    ...unfit.map(({ name, why }) => `node ${name} leads nothing for now: ${why}`),
  ];
}

/** Which nodes keep the cluster from the newest version that any of them reads. */
function holdersBack({ nodes, clusterVersion }: HealthInput): string[] {
  const newest = Math.max(...nodes.map(node => node.clusterVersion));
  if (newest <= clusterVersion) return [];
  return nodes
    .filter(node => node.clusterVersion < newest)
    .map(({ name, version, state }) => {
      const remove = state === 'dead' ? `, or \`tsched node remove ${name}\`` : '';
      return (
        `node ${name} holds the cluster version at ${clusterVersion}: ` +
        `upgrade it (program ${version})${remove}`
      );
    });
}

function pauseNote({ paused }: HealthInput): string[] {
  if (paused === undefined) return [];
  const { by, atMs, reason, suspend } = paused;
  const why = reason === '' ? '' : `: ${reason}`;
  const runs = suspend ? ' and what runs stands still' : '';
  const when = formatInstant(atMs);
  return [
    `nothing is placed${runs}: paused by ${by} at ${when}${why}; see \`tsched resume cluster\``,
  ];
}

/** What is worth knowing where all is well. */
function notes(nodes: readonly NodeSummary[]): string[] {
  const sentences: string[] = [];
  for (const { name, state, drain } of nodes) {
    if (state === 'dead') {
      sentences.push(`node ${name} is dead: start it again, or \`tsched node remove ${name}\``);
    } else if (drain !== undefined) {
      const left = `${drain.replicasLeft} replicas and ${drain.attemptsLeft ?? '?'} attempts left`;
      sentences.push(
        drain.drained
          ? `node ${name} is drained: stop it, or \`tsched node remove ${name}\``
          : `node ${name} is draining: ${left}`,
      );
    }
  }
  const lasting = nodes.filter(({ state }) => state !== 'dead' && state !== 'draining').length;
  if (lasting < 3) {
    const count = `${lasting} node${lasting === 1 ? '' : 's'}`;
    sentences.push(`with ${count} no failure is survived: three are needed`);
  }
  return sentences;
}
