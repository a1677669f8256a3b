/** What is not done to a cluster that somebody else relies on, and why. */
import { findLacks, type Lack } from './abilities.ts';
import type { Attached } from './attach.ts';
import { type FaultKind, kindRow } from './fault-kinds.ts';
import type { Scenario } from './scenario.ts';
import type { Target } from './target.ts';

const never: Partial<Record<FaultKind, string>> = {
  clockJump: 'a clock can be moved only in a node that was started for it',
  diskFull: 'a disk that a cluster stands on is not filled: others may use it',
  wipe: 'data of a cluster that was attached to are not destroyed',
  flipBytes: 'data of a cluster that was attached to are not destroyed',
  powerCut: 'the power of a machine that others rely on is not cut',
  outOfMemory: 'it would take the node out of the control group that it belongs to',
  workerOutOfMemory: 'it would take the supervisor out of the control group that it belongs to',
};

const ofNetwork =
  'links can be broken only between nodes that were started in a network made for it';

/** Every kind that cannot be done, each once, with its reason. */
export async function findAttachedLacks(
  kinds: readonly FaultKind[],
  scenario: Scenario,
  { nodes }: Attached,
): Promise<Lack[]> {
  const local = nodes.filter(node => node.local !== undefined).map(node => node.number);
  const lacks = kinds.flatMap(kind => {
    const reason =
      kindRow(kind).needs === 'network'
        ? ofNetwork
        : (never[kind] ?? outOfReach(kind, scenario, local, nodes.length));
    return reason === undefined ? [] : [{ kind, reason }];
  });
  const possible = kinds.filter(kind => !lacks.some(lack => lack.kind === kind));
  return [...lacks, ...(await findLacks(possible))];
}

/** Whether a fault of this kind may be meant for a node that only its address is known of. */
function outOfReach(
  kind: FaultKind,
  { faults, random }: Scenario,
  local: readonly number[],
  nodes: number,
): string | undefined {
  if (local.length === nodes) return undefined;
  const own = faults.filter(fault => fault.kind === kind).map(fault => fault.target);
  // As `schedule.ts` draws them; a leader out of reach is left alone there.
  const all = kind === 'rollingRestart' && random?.kinds.includes(kind);
  const drawn: Target[] = all ? [{ of: 'all' }] : [];
  for (const target of [...own, ...drawn]) {
    const bad = whyNot(target, local);
    if (bad !== undefined) return `it may hit ${bad}, and of that only the address is known`;
  }
  return undefined;
}

function whyNot(target: Target, local: readonly number[]): string | undefined {
  if (target.of === 'nodes') {
    const bad = target.numbers.filter(number => !local.includes(number));
    return bad.length === 0 ? undefined : bad.map(number => `n${number}`).join(', ');
  }
  if (target.of === 'random') {
    return target.count <= local.length ? undefined : `${target.count} nodes, more than are here`;
  }
  return target.of === 'leader' ? 'a leader that is not here' : `${target.of} of the nodes`;
}
