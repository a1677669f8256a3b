/** The labels of a node that nobody has to give it. */
import { arch, hostname, platform } from 'node:os';
import { limits } from '../model/limits.ts';

type Labels = readonly (readonly [string, string])[];

/** `given`, and those of `own` that they do not say, as far as there is room. */
export function withLabels(given: Labels, own: Labels): Labels {
  const missing = own.filter(([name]) => !given.some(([known]) => known === name));
  return [...given, ...missing.slice(0, Math.max(0, limits.labelsMax - given.length))];
}

/** What every node tells of its machine. */
export const machineLabels = (): Labels => [
  ['os', platform()],
  ['arch', arch()],
  ['hostname', hostname()],
];
