/**
 * Somebody who pauses, suspends, resumes and changes tasks of the simulated cluster, and pauses all
 * of it for a while, through the same verbs as a person, while clients ask, leaders change and
 * machines fail. Once dismissed, lets everything go on that is paused still, for as long as that
 * takes: whatever was submitted has to settle then.
 */
import { TschedError } from '../../src/model/errors.ts';
import type { TaskId } from '../../src/model/ids.ts';
import type { TschedNode } from '../../src/node/node.ts';
import type { SubmitReply } from '../../src/ports/node-api.ts';
import { type SimCluster, simAdminToken } from './cluster.ts';
import { check } from './violation.ts';

export interface ControlCounts {
  pauses: number;
  suspends: number;
  resumes: number;
  updates: number;
  clusterPauses: number;
}

const actor = { name: 'operator', tenant: 'default' };

export function operateControl(cluster: SimCluster, counts: ControlCounts): () => void {
  const random = cluster.random('control');
  const below = (count: number): number => Math.floor((random.uint32() / 2 ** 32) * count);
  /** Tasks that may be paused: taken out once a resume was confirmed. */
  const paused = new Set<TaskId>();
  let clusterPaused = false;
  let active = true;

  const anyNode = (): TschedNode | undefined => {
    const up = cluster.nodes.filter(node => node.running && node.node?.ready === true);
    return up[below(up.length)]?.node;
  };

  const resume = async (node: TschedNode, id: TaskId): Promise<void> => {
    const [reply] = await node.api.control([id], { kind: 'resume' }, actor);
    if (reply?.ok !== true && !isOver(reply)) return;
    paused.delete(id);
    counts.resumes++;
  };

  const act = async (node: TschedNode): Promise<void> => {
    const { tasks } = await node.api.list({
      states: ['waiting', 'assigned', 'running'],
      limit: 30,
    });
    const task = tasks[below(tasks.length)];
    if (task === undefined) return;
    switch (below(5)) {
      case 0:
      case 1: {
        const suspend = below(2) === 0;
        paused.add(task.id);
        const asked = { kind: 'pause', suspend, reason: 'tried' } as const;
        const [reply] = await node.api.control([task.id], asked, actor);
        if (reply?.ok === true) counts[suspend ? 'suspends' : 'pauses']++;
        break;
      }
      case 2:
        for (const id of [...paused].slice(0, 3)) await resume(node, id);
        break;
      case 3: {
        const overrides = below(2) === 0 ? { capMs: 1_000 + below(20_000) } : { attempts: 7 };
        const [reply] = await node.api.control([task.id], { kind: 'update', overrides }, actor);
        if (reply?.ok === true) counts.updates++;
        break;
      }
      default: {
        const on = !clusterPaused;
        clusterPaused = true;
        const how = { on, suspend: below(2) === 0, reason: '' };
        await node.api.pausePlacement('*', how, simAdminToken);
        clusterPaused = on;
        counts.clusterPauses++;
      }
    }
  };

  /** Undoes one thing; what is refused or remains without an answer is tried again. */
  const undo = async (node: TschedNode): Promise<void> => {
    const [id] = paused;
    if (id !== undefined) await resume(node, id);
    else if (clusterPaused) {
      const how = { on: false, suspend: false, reason: '' };
      await node.api.pausePlacement('*', how, simAdminToken);
      clusterPaused = false;
    }
  };

  const next = (): void => {
    if (!active && paused.size === 0 && !clusterPaused) return;
    const node = anyNode();
    const step = node === undefined ? Promise.resolve() : active ? act(node) : undo(node);
    const later = (): void => void cluster.time.after(active ? 20 + below(200) : 50, next);
    step.then(later, (error: unknown) => {
      if (!(error instanceof TschedError)) throw error;
      later();
    });
  };
  cluster.time.after(1 + below(1_000), next);
  return () => {
    active = false;
    check(counts.pauses + counts.suspends > 0, () => 'the operator never paused a task');
  };
}

/** There is nothing left of the task that could be resumed. */
const isOver = (reply: SubmitReply | undefined): boolean =>
  reply?.ok === false && (reply.code === 'alreadySettled' || reply.code === 'unknownTask');
