/**
 * The cluster version: what every program of a cluster can read. Each program says the newest that
 * it reads when it registers; the registry's leader raises the version of the cluster once all of
 * them read it. What is new in a version is used only where the cluster has it.
 */

/** What each version brought, from 1 on; append-only: its number is its position. */
export const clusterVersions = [
  'all that the first program reads',
  'the cluster version; starts of a store by their ids; epochs of recoveries; tasks that expire',
  'what a task asks of time, order, place and fairness; rows of tasks with more fields',
] as const;

/** Newest version that this program reads. */
export const ownClusterVersion: number = clusterVersions.length;

/** Name of the registry's setting. An ordinary one, so that programs of version 1 keep it too. */
export const clusterVersionSetting = 'clusterVersion';

const textPattern = /^(.*)\+cluster\.([1-9]\d{0,5})$/;
const numberPattern = /^[1-9]\d{0,5}$/;

/**
 * The version text of a registration, `0.1.0+cluster.2`: programs of version 1 have a text there,
 * which they keep and do not read, and no room for a number.
 */
export const versionTextOf = (program: string, clusterVersion: number): string =>
  `${program}+cluster.${clusterVersion}`;

/** What a version text says; one without a number is of version 1. */
export function readVersionText(text: string): {
  readonly program: string;
  readonly clusterVersion: number;
} {
  const [, program, number] = textPattern.exec(text) ?? [];
  if (program === undefined) return { program: text, clusterVersion: 1 };
  return { program, clusterVersion: Number(number) };
}

/** The value of the setting; one that is missing, or none of ours, is version 1. */
export const readClusterVersion = (value: string | undefined): number =>
  value !== undefined && numberPattern.test(value) ? Number(value) : 1;
