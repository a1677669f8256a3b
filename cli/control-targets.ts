/**
 * What `tsched pause` and `tsched resume` act on: a task unless another word stands first. Each is
 * a row: the word, whether it takes names, and the path of what it names.
 */
import { usageError } from './cli-error.ts';

interface Target {
  readonly word: string;
  /** What follows the word; nothing does where it stands for the one there is. */
  readonly names: string | undefined;
  readonly path: (name: string) => string;
}

const targets: readonly Target[] = [
  { word: 'task', names: 'ID', path: id => `/v1/tasks/${encodeURIComponent(id)}` },
  { word: 'workflow', names: 'ID', path: id => `/v1/workflows/${encodeURIComponent(id)}` },
  { word: 'tenant', names: 'NAME', path: name => `/v1/tenants/${encodeURIComponent(name)}` },
  { word: 'cluster', names: undefined, path: () => '/v1/cluster' },
];

export interface Chosen {
  /** `task`, `workflow`, `tenant`, `cluster`. */
  readonly word: string;
  readonly name: string;
  readonly path: string;
  /** Of a name without a word: the workflow that it may be, where no task has it. */
  readonly orWorkflow?: string | undefined;
}

/** Reads the IDs of tasks. */
export function chooseTasks(ids: readonly string[], verb: string): readonly Chosen[] {
  if (ids.length === 0) throw usageError(`there is nothing to ${verb}`, `tsched ${verb} ID`);
  return ids.map(id => ({ word: 'task', name: id, path: targets[0]!.path(id) }));
}

/**
 * Reads `ID...` of tasks and workflows, `task ID...`, `workflow ID...`, `tenant NAME...`,
 * `cluster`. `verb` is for what is said of it.
 */
export function chooseTargets(words: readonly string[], verb: string): readonly Chosen[] {
  const [first, ...rest] = words;
  if (first === 'schedule') {
    const names = rest.length === 0 ? 'NAME' : rest.join(' ');
    throw usageError(`schedules have their own ${verb}`, `tsched schedule ${verb} ${names}`);
  }
  const named = targets.find(({ word }) => word === first);
  const target = named ?? targets[0]!;
  const names = named === undefined ? words : rest;
  if (target.names === undefined) {
    if (names.length > 0) throw usageError(`\`${verb} ${target.word}\` takes no name`);
    return [{ word: target.word, name: target.word, path: target.path('') }];
  }
  if (names.length === 0) {
    const how = targets.map(({ word, names: what }) => `${verb} ${word}${what ? ` ${what}` : ''}`);
    throw usageError(`there is nothing to ${verb}`, how.map(text => `tsched ${text}`).join(', '));
  }
  const orWorkflow = named === undefined ? targets[1]!.path : undefined;
  return names.map(name => ({
    word: target.word,
    name,
    path: target.path(name),
    orWorkflow: name === 'last' ? undefined : orWorkflow?.(name),
  }));
}
