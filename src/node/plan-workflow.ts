/**
 * What would become of a workflow if it were submitted now. Its first tasks are planned together,
 * as they would start together. Of those behind them nobody knows when their turn comes, so each
 * kind of them is planned by itself, on the nodes as they are now; there are few kinds in most
 * workflows, and of one with many only the first are looked at.
 */
import { limits } from '../model/limits.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { PlannedTask } from '../ports/control-api.ts';
import type {
  PlannedStage,
  PlannedStep,
  PlannedWorkflow,
  WorkflowRequest,
} from '../ports/workflow-api.ts';
import { laneOf } from '../shard/memory/traits.ts';
import type { Refusal } from './tenant-gate.ts';

interface Planner {
  /** Why the workflow as a whole would never be let in, whatever its tasks are. */
  readonly refusal: Refusal | undefined;
  /** Why such a task would not. */
  readonly mayNot: (spec: TaskSpec) => Refusal | undefined;
  readonly plan: (
    tasks: readonly { readonly spec: TaskSpec; readonly count: number }[],
  ) => readonly PlannedTask[];
}

/** Parents that a message names. */
const parentsShownMax = 3;

export function planWorkflow({ tasks }: WorkflowRequest, planner: Planner): PlannedWorkflow {
  const stageOf = stagesOf(tasks);
  const first = tasks.filter((_, place) => stageOf[place] === 1);
  const together = planner.plan(first.map(({ spec }) => ({ spec, count: 1 }))).values();
  const kinds = new Map<string, PlannedTask>();
  const steps = tasks.map(({ spec, parents }, place): PlannedStep => {
    const names = parents.map(parent => tasks[parent]!.spec.name);
    const step = { name: spec.name, stage: stageOf[place]!, after: names };
    if (step.stage === 1) {
      const planned = together.next().value!;
      return { ...planned, ...step, alone: planned.verdict };
    }
    return { ...behind(names, kindOf(spec, planner, kinds)), ...step };
  });
  return { ...summaryOf(steps, planner.refusal), ...shownOf(steps), total: steps.length };
}

/** From 1: a task's is one more than the last of those that it waits for. */
function stagesOf(tasks: WorkflowRequest['tasks']): number[] {
  const stages: number[] = [];
  for (const { parents } of tasks) {
    stages.push(1 + parents.reduce((last, parent) => Math.max(last, stages[parent]!), 0));
  }
  return stages;
}

/**
 * What would become of a task if it were alone; what the nodes say of its kind is told once.
 * `undefined` where too many kinds were looked at already.
 */
function kindOf(
  spec: TaskSpec,
  { plan, mayNot }: Planner,
  kinds: Map<string, PlannedTask>,
): PlannedTask | undefined {
  const { capMs, holdIfUnfit, notBeforeMs, delayMs } = spec;
  const key = JSON.stringify([laneOf(spec).key, capMs, holdIfUnfit, notBeforeMs, delayMs]);
  const known = kinds.get(key);
  if (known !== undefined) return { ...known, nodes: undefined };
  if (kinds.size < limits.plannedKindsMax) {
    const [planned] = plan([{ spec, count: 1 }]);
    kinds.set(key, planned!);
    return planned;
  }
  const refused = mayNot(spec);
  if (refused === undefined) return undefined;
  const { code, message } = refused;
  return { verdict: 'refused', code, message, places: [], waiting: 0 };
}

/** What is said of a task that waits for others, by what it would do without them. */
function behind(
  names: readonly string[],
  planned: PlannedTask | undefined,
): PlannedTask & Pick<PlannedStep, 'alone'> {
  if (planned?.verdict === 'refused') return { ...planned, alone: 'refused' };
  const more = names.length > parentsShownMax ? ` and ${names.length - parentsShownMax} more` : '';
  const waits = `waits for ${names.slice(0, parentsShownMax).join(', ')}${more}`;
  const starts = planned?.verdict === 'starts';
  return {
    verdict: 'waits',
    reason: 'Dependency',
    message: `${waits}; ${afterwards(planned)}`,
    places: planned?.places ?? [],
    waiting: 1,
    toleranceMs: planned?.toleranceMs,
    nodes: starts ? undefined : planned?.nodes,
    alone: planned?.verdict,
  };
}

function afterwards(planned: PlannedTask | undefined): string {
  if (planned === undefined) return 'where it would start then was not looked at';
  const { verdict, message, places } = planned;
  if (verdict !== 'starts') return `then it ${message}`;
  return `then it would start by what nodes have now, on ${places.map(({ name }) => name).join(', ')}`;
}

/** What becomes of the whole: it is let in as a whole or not at all. */
function summaryOf(
  steps: readonly PlannedStep[],
  refusal: Refusal | undefined,
): Pick<PlannedWorkflow, 'verdict' | 'code' | 'message'> {
  if (refusal !== undefined) {
    return { verdict: 'refused', code: refusal.code, message: refusal.message };
  }
  const refused = steps.filter(({ verdict }) => verdict === 'refused');
  const [first] = refused;
  if (first !== undefined) {
    const more = refused.length > 1 ? ` (and ${refused.length - 1} more tasks)` : '';
    const message = `task ${first.name}: ${first.message}${more}`;
    return { verdict: 'refused', code: first.code, message };
  }
  const begin = steps.filter(({ stage }) => stage === 1);
  const starting = begin.filter(({ verdict }) => verdict === 'starts').length;
  const which = `${starting} of the ${begin.length} that wait for no other`;
  return starting === begin.length
    ? { verdict: 'starts', message: `${which} would start now` }
    : { verdict: 'waits', message: `${which} would start now, the rest would wait` };
}

/** Counts of every stage, and as many tasks as one answer may hold: those refused before others. */
function shownOf(steps: readonly PlannedStep[]): Pick<PlannedWorkflow, 'stages' | 'tasks'> {
  const stages: { -readonly [Key in keyof PlannedStage]: PlannedStage[Key] }[] = [];
  for (const { stage, alone } of steps) {
    const counts = (stages[stage - 1] ??= { tasks: 0, starts: 0, waits: 0, refused: 0 });
    counts.tasks++;
    if (alone !== undefined) counts[alone]++;
  }
  const isRefused = ({ verdict }: PlannedStep): boolean => verdict === 'refused';
  let left = Math.max(0, limits.plannedRowsMax - steps.filter(isRefused).length);
  const kept = steps.filter(step => isRefused(step) || left-- > 0);
  return { stages, tasks: kept.slice(0, limits.plannedRowsMax) };
}
