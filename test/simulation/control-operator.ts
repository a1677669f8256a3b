/**
 * Somebody who pauses, suspends, resumes and changes tasks of the simulated cluster, and pauses all
 * of it for a while, through the same verbs as a person, while clients ask, leaders change and
 * machines fail. Once dismissed, lets everything go on that is paused still, for as long as that
 * takes: whatever was submitted has to settle then.
 */
import { TschedError } from '../../src/model/errors.ts';
import type { TaskId } from '../../src/model/ids.ts';
import type { TschedNode } from '../../src/node/node.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import { type SimCluster, simAdminToken } from './cluster.ts';
import type { SimNode } from './sim-node.ts';

export interface ControlCounts {
  pauses: number;
  suspends: number;
  resumes: number;
  updates: number;
  clusterPauses: number;
}

/** Things that are done at a time: in a shard without a leader one takes seconds. */
const hands = 10;
/** Verbs answer sooner, unless their node was killed. */
const patienceMs = 10_000;
/** In the end nothing may be left to undo for so many looks: a pause may have been late. */
const looksMax = 300;
const actor = { name: 'operator', tenant: 'default' };

export function operateControl(cluster: SimCluster, counts: ControlCounts): () => void {
  const random = cluster.random('control');
  const below = (count: number): number => Math.floor((random.uint32() / 2 ** 32) * count);
  /** Tasks that were to be paused and are not known to be over; one may come to be paused late. */
  const touched = new Set<TaskId>();
  let clusterPaused = false;
  /** Until then one hand may be about to change that. */
  let changingToMs = 0;
  let active = true;
  let looks = 0;

  const anyMachine = (): SimNode | undefined => {
    const up = cluster.nodes.filter(node => node.running && node.node?.ready === true);
    return up[below(up.length)];
  };

  const resumeOne = async (node: TschedNode): Promise<void> => {
    const [id] = touched;
    if (id === undefined) return;
    // The others are before it the next time.
    touched.delete(id);
    touched.add(id);
    const [reply] = await node.api.control([id], { kind: 'resume' }, actor);
    if (isOver(reply)) touched.delete(id);
    if (reply?.ok === true && !reply.repeated) counts.resumes++;
  };

  const changeCluster = async (
    node: TschedNode,
    { on, suspend }: { readonly on: boolean; readonly suspend: boolean },
  ): Promise<void> => {
    if (cluster.time.nowMs < changingToMs) return;
    changingToMs = cluster.time.nowMs + patienceMs;
    clusterPaused = true;
    try {
      await node.api.pausePlacement('*', { on, suspend, reason: '' }, simAdminToken);
      clusterPaused = on;
      if (on) counts.clusterPauses++;
    } finally {
      changingToMs = 0;
    }
  };

  const act = async (node: TschedNode): Promise<void> => {
    const { tasks } = await node.api.list({
      states: ['waiting', 'assigned', 'running'],
      limit: 30,
    });
    const drawn = tasks[below(tasks.length)];
    if (drawn === undefined) return;
    let task = drawn;
    switch (below(5)) {
      case 0:
      case 1: {
        const suspend = below(2) === 0;
        if (suspend) task = tasks.find(one => one.state === 'running') ?? drawn;
        touched.add(task.id);
        const asked = { kind: 'pause', suspend, reason: 'tried' } as const;
        const [reply] = await node.api.control([task.id], asked, actor);
        if (reply?.ok === true) counts[suspend ? 'suspends' : 'pauses']++;
        break;
      }
      case 2:
        for (let time = 0; time < 3; time++) await resumeOne(node);
        break;
      case 3: {
        const overrides = [
          { capMs: 1_000 + below(20_000) },
          { attempts: 7 },
          { priority: (['high', 'normal', 'low'] as const)[below(3)] },
          { toleranceMs: 1_000 + below(120_000) },
        ][below(4)]!;
        const [reply] = await node.api.control([task.id], { kind: 'update', overrides }, actor);
        if (reply?.ok === true) counts.updates++;
        break;
      }
      default:
        await changeCluster(node, { on: !clusterPaused, suspend: below(2) === 0 });
    }
  };

  /** Undoes one thing; what is refused or remains without an answer is tried again. */
  const undo = async (node: TschedNode): Promise<void> => {
    if (clusterPaused || node.api.pauses().length > 0) {
      looks = 0;
      await changeCluster(node, { on: false, suspend: false });
    }
    await resumeOne(node);
  };

  const next = (): void => {
    if (!active && touched.size === 0 && looks++ > looksMax) return;
    const { process, node } = anyMachine() ?? {};
    const step = node === undefined ? Promise.resolve() : active ? act(node) : undo(node);
    let goesOn = false;
    const later = (): void => {
      if (goesOn) return;
      goesOn = true;
      cancelWait();
      cluster.time.after(active ? 20 + below(200) : 200, next);
    };
    const cancelWait = cluster.time.after(patienceMs, later);
    step.then(later, (error: unknown) => {
      // What became of the verbs of a process that died is nobody's business.
      if (process?.alive === true && !(error instanceof TschedError)) throw error;
      later();
    });
  };
  for (let hand = 0; hand < hands; hand++) cluster.time.after(1 + below(1_000), next);
  return () => {
    active = false;
  };
}

/** There is nothing left of the task that could be resumed. */
const isOver = (reply: SubmitReply | undefined): boolean =>
  reply?.ok === false && (reply.code === 'alreadySettled' || reply.code === 'unknownTask');
