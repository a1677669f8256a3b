/** The cluster as it stands when a run fails, one line for each replica. */
import type { SimCluster } from './cluster.ts';

export function describeCluster(cluster: SimCluster): string[] {
  const lines: string[] = [];
  for (const machine of cluster.nodes) {
    const { node, process, id } = machine;
    const state = process === undefined ? 'down' : process.paused ? 'paused' : 'up';
    const peers = cluster.nodes.filter(one => node?.context.peers.connected(one.id) === true);
    const ready = node?.ready === true ? 'ready' : 'not ready';
    lines.push(`${id} ${state} ${ready}, connected to ${peers.map(one => one.id).join()}`);
    for (const replica of node?.loop.replicas() ?? []) {
      const { core, group, applied, leading, descriptor } = replica;
      const { voters, votersOutgoing, learners } = descriptor.conf;
      const members = replica.members().map(member => `${member.replicaId}@${member.node}`);
      lines.push(
        `  group ${group} replica ${core.id} ${core.role}${leading ? ' leading' : ''} ` +
          `term ${core.term} lead ${core.lead} last ${core.lastIndex} commit ${core.committed} ` +
          `applied ${applied} voters ${voters.join()} out ${votersOutgoing.join()} ` +
          `learners ${learners.join()} members ${members.join()}`,
      );
      for (const peer of core.status().progress) {
        lines.push(
          `    ${peer.id} ${peer.state} match ${peer.match} next ${peer.next} ` +
            `${peer.paused ? 'paused ' : ''}${peer.recentActive ? 'active' : 'silent'} ` +
            `inflight ${peer.inflight}`,
        );
      }
    }
  }
  return lines;
}
